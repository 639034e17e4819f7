//! Pictures into classes: PNG files in a folder for each class, other crops and flips of them in each round, a small network.
//!
//! Run it with `cargo run --release --features image --example classify_images`.

use tilework::image::{Color, Image, ImageFolder, ImageOptions, Normalize};
use tilework::nn::{Flatten, Linear, Module, Relu, Sequential};
use tilework::optim::{Adam, Optimizer};
use tilework::train::{Examples, Job, Objective, Trainer};
use tilework::{Device, Error, Result, Rng};

/// A bright disc, ring or square somewhere in 24 × 24 grey pixels, and noise.
fn picture(class: &str, rng: &mut Rng) -> Result<Image> {
    let (place, noise) = (rng.uniforms(3), rng.uniforms(24 * 24));
    let (x0, y0, radius) = (9.0 + 6.0 * place[0], 9.0 + 6.0 * place[1], 5.0 + 3.0 * place[2]);
    let pixel = |(i, noise): (usize, &f32)| {
        let (x, y) = ((i % 24) as f32 - x0, (i / 24) as f32 - y0);
        let inside = match class {
            "disc" => x.hypot(y) < radius,
            "ring" => x.hypot(y) < radius && x.hypot(y) > 0.6 * radius,
            _ => x.abs().max(y.abs()) < 0.9 * radius,
        };
        (if inside { 180.0 } else { 30.0 } + 40.0 * noise) as u8
    };
    Image::new(noise.iter().enumerate().map(pixel).collect(), Color::Grey, 24, 24)
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::Io { path: std::env::temp_dir(), source: e.into() })?;
    let (device, rng) = (Device::cpu(), &mut Rng::seed(2));
    let classes = ["disc", "ring", "square"];
    for class in classes {
        let path = folder.path().join(class);
        std::fs::create_dir(&path).map_err(|e| Error::Io { path: path.clone(), source: e.into() })?;
        for take in 0..40 {
            picture(class, rng)?.save_png(path.join(format!("{take}.png")))?;
        }
    }

    let options = ImageOptions {
        height: 16,
        width: 16,
        color: Color::Grey,
        margin: 2,
        horizontal_flip: 0.5,
        vertical_flip: 0.5,
        normalize: Some(Normalize { mean: vec![0.35], std: vec![0.25] }),
        ..ImageOptions::default()
    };
    let pictures = ImageFolder::open(folder.path(), options)?;
    let all: Vec<usize> = (0..pictures.found().files().len()).collect();
    let net = Sequential::new().add(Flatten).add(Linear::new(16 * 16, 64, rng, &device)).add(Relu).add(Linear::new(
        64,
        classes.len(),
        rng,
        &device,
    ));
    let mut optimizer = Optimizer::new(Adam { lr: 2e-3, ..Adam::default() }, net.parameters());
    let mut trainer = Trainer { epochs: 5, ..Trainer::default() };
    for _round in 0..10 {
        let (x, y) = pictures.augmented(&all, rng, &device)?;
        trainer.fit(Job::new(&net, &mut optimizer, Objective::classes(), &Examples::new(x, y)?))?;
    }
    let (x, y) = pictures.batch(&all, &device)?;
    let (_, accuracy) = trainer.evaluate(&net, Objective::classes(), &Examples::new(x, y)?)?;
    println!("{} pictures, {:.0} % of them right", all.len(), 100.0 * accuracy.unwrap_or(f64::NAN));

    for class in classes {
        let scores = net.forward(&pictures.prepare(&picture(class, rng)?, &device)?).to_vec::<f32>()?;
        let best = (0..classes.len()).max_by(|&a, &b| scores[a].total_cmp(&scores[b])).unwrap_or(0);
        println!("a new {class} is taken for a {}", pictures.found().classes()[best]);
    }
    Ok(())
}
