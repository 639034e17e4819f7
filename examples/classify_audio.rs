//! Sounds into classes: WAV files in a folder for each class, the mean and the deviation of their MFCC, a pipeline of scaling and
//! logistic regression.
//!
//! Run it with `cargo run --release --features audio --example classify_audio`.

use ndarray::{Array2, Axis};
use std::path::Path;
use tilework::audio::{Mfcc, Waveform};
use tilework::data::ClassFolder;
use tilework::models::prepare::{Pipeline, StandardScaler, Step};
use tilework::models::{Labels, Model, Prediction, Problem, linear::LogisticRegression};
use tilework::{Error, Result, Rng};

const RATE: u32 = 8000;

/// Half a second of a tone of some pitch, of a siren that rises, or of noise.
fn sound(class: &str, rng: &mut Rng) -> Result<Waveform> {
    let noise = rng.normals(RATE as usize / 2);
    let pitch = 200.0 + 400.0 * rng.uniforms(1)[0];
    let sample = |(i, noise): (usize, &f32)| {
        let seconds = i as f32 / RATE as f32;
        let pitch = if class == "siren" { pitch * (1.0 + 2.0 * seconds) } else { pitch };
        let clean = if class == "noise" { 0.3 * noise } else { (std::f32::consts::TAU * pitch * seconds).sin() };
        0.5 * clean + 0.01 * noise
    };
    let samples: Vec<f32> = noise.iter().enumerate().map(sample).collect();
    let samples = Array2::from_shape_vec((1, samples.len()), samples);
    Waveform::new(samples.map_err(|e| Error::Internal { op: "sound", message: e.to_string() })?, RATE)
}

/// One row: the mean of each coefficient over time, and how far it strays.
fn features(path: &Path) -> Result<Vec<f64>> {
    let wave = Waveform::load_wav(path)?;
    let mfcc = Mfcc { n_mfcc: 13, ..Mfcc::default() }.transform(&wave.to_mono(), wave.sample_rate())?;
    Ok(mfcc.axis_iter(Axis(0)).flat_map(|row| [row.mean().unwrap_or(0.0), row.std(0.0)]).collect())
}

fn main() -> Result<()> {
    let folder = tempfile::tempdir().map_err(|e| Error::Io { path: std::env::temp_dir(), source: e.into() })?;
    let rng = &mut Rng::seed(1);
    for class in ["tone", "siren", "noise"] {
        let path = folder.path().join(class);
        std::fs::create_dir(&path).map_err(|e| Error::Io { path: path.clone(), source: e.into() })?;
        for take in 0..8 {
            sound(class, rng)?.save_wav(path.join(format!("{take}.wav")))?;
        }
    }

    let sounds = ClassFolder::open(folder.path(), &["wav"])?;
    let rows: Vec<Vec<f64>> = sounds.files().iter().map(|file| features(file)).collect::<Result<_>>()?;
    let x = Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j]);
    let y = Labels { of: sounds.labels().to_vec(), names: sounds.classes().to_vec() };
    let pipeline = Pipeline::new(&LogisticRegression::default())?.then(Step::of(&StandardScaler::default()));
    let model = pipeline.learn(&Problem::new(&x, &y))?;
    println!("{} sounds of {:?}, {} features each", x.nrows(), y.names, x.ncols());

    for class in ["siren", "noise", "tone"] {
        let path = folder.path().join("new.wav");
        sound(class, rng)?.save_wav(&path)?;
        let row = features(&path)?;
        let row = Array2::from_shape_fn((1, row.len()), |(_, j)| row[j]);
        if let Prediction::Labels(found) = model.outcome((&row).into())? {
            println!("a new {class} is taken for a {}", y.name(found[0]));
        }
    }
    Ok(())
}
