//! Pictures beside Pillow's. `tests/data/golden_image.py` made the files and the numbers.

#[path = "common/golden.rs"]
mod golden;

use golden::{json, path};
use ndarray::{Array3, Axis};
use serde_json::Value;
use std::fs;
use std::io::Cursor;
use tilework::image::{Color, Filter, Image, ImageFolder, ImageOptions, Normalize};
use tilework::{Device, Error, Result, Rng};

fn bytes(value: &Value) -> Vec<u8> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as u8).collect()
}

fn load(name: &str) -> Image {
    Image::load(path(&format!("pictures/{name}"))).unwrap()
}

fn file(name: &str) -> Vec<u8> {
    fs::read(path(&format!("pictures/{name}"))).unwrap()
}

fn read(bytes: &[u8]) -> Result<Image> {
    Image::read(Cursor::new(bytes), "a.png")
}

#[test]
fn png_files_of_every_kind_are_read_as_pillow_reads_them() {
    let golden = json("image.json");
    let (rgb, grey) = (bytes(&golden["rgb"]), bytes(&golden["grey"]));
    let bits: Vec<u8> = grey.iter().map(|&v| if v > 127 { 255 } else { 0 }).collect();
    let palette = bytes(&golden["palette"]);
    for (name, color, exact) in [
        ("rgb.png", Color::Rgb, &rgb),
        ("rgba.png", Color::Rgb, &rgb),
        ("palette.png", Color::Rgb, &palette),
        ("grey.png", Color::Grey, &grey),
        ("grey_alpha.png", Color::Grey, &grey),
        ("grey_16.png", Color::Grey, &grey),
        ("bits.png", Color::Grey, &bits),
    ] {
        let image = load(name);
        assert_eq!((image.color(), image.height(), image.width()), (color, 13, 17), "{name}");
        assert_eq!(image.pixels(), exact, "{name}");
    }
    assert_eq!(load("rgb.png").to_grey(), load("grey.png"));
    assert_eq!(load("grey.png").to_rgb().to_grey(), load("grey.png"));
}

/// The standard leaves the rounding of the inverse transform open: 1 of brightness, and as much of colour, which counts 1.772 times
/// for blue. Where colour is kept at half size its upsampling rounds once more.
#[test]
fn jpeg_files_are_read_as_pillow_reads_them_but_for_roundings() {
    let golden = json("image.json");
    let cases = [("grey.jpg", Color::Grey, 1), ("progressive.jpg", Color::Rgb, 3), ("rgb.jpg", Color::Rgb, 5)];
    for (name, color, most) in cases {
        let (image, exact) = (load(name), bytes(&golden[name]));
        assert_eq!((image.color(), image.height(), image.width()), (color, 24, 40), "{name}");
        let off = image.pixels().iter().zip(&exact).map(|(a, b)| a.abs_diff(*b));
        assert!(off.clone().max() <= Some(most), "{name}: {:?}", off.max());
    }
}

#[test]
fn resizing_is_pillow_s_to_the_bit() {
    let golden = json("image.json");
    let (rgb, grey) = (load("rgb.png"), load("grey.png"));
    for case in golden["resize"].as_array().unwrap() {
        let size = |name: &str| case[name].as_u64().unwrap() as usize;
        let filter = if case["filter"] == "nearest" { Filter::Nearest } else { Filter::Bilinear };
        let resize = |image: &Image| image.resize(size("height"), size("width"), filter).unwrap();
        let what = format!("{} x {} {filter:?}", size("height"), size("width"));
        assert_eq!(resize(&rgb).pixels(), bytes(&case["rgb"]), "{what}");
        assert_eq!(resize(&grey).pixels(), bytes(&case["grey"]), "{what}");
    }
}

#[test]
fn crops_and_flips_are_pillow_s() {
    let (golden, rgb) = (json("image.json"), load("rgb.png"));
    assert_eq!(rgb.crop(2, 3, 5, 6).unwrap().pixels(), bytes(&golden["crop"]));
    assert_eq!(rgb.flip_horizontal().pixels(), bytes(&golden["mirror"]));
    assert_eq!(rgb.flip_vertical().pixels(), bytes(&golden["flip"]));
    let row = |width: u8| Image::new((0..width).collect(), Color::Grey, 1, width.into()).unwrap();
    // int(round((width - 2) / 2)) of Python, which rounds half to even
    for (width, first) in [(2, 0), (3, 0), (4, 1), (5, 2), (6, 2), (7, 2), (9, 4)] {
        assert_eq!(row(width).center_crop(1, 2).unwrap().pixels(), [first, first + 1], "{width}");
    }
    let mut rng = Rng::seed(3);
    let mut seen = [0; 4];
    for _ in 0..400 {
        let part = row(5).random_crop(1, 2, &mut rng).unwrap();
        seen[usize::from(part.pixels()[0])] += 1;
    }
    assert!(seen.iter().all(|&n| n > 60), "{seen:?} of 400, each 100 on average with a deviation of 9");
}

fn load_upright(name: &str) -> Image {
    Image::load_upright(path(&format!("pictures/{name}"))).unwrap()
}

/// A JPEG file with these bytes as its EXIF data.
fn noted(exif: &[u8]) -> Vec<u8> {
    let length = (exif.len() + 8) as u16;
    let segment = [&[0xff, 0xe1][..], &length.to_be_bytes(), b"Exif\0\0", exif].concat();
    let file = file("grey.jpg");
    [&file[..2], &segment, &file[2..]].concat()
}

/// A directory of one entry: an orientation.
fn oriented(orientation: u16, big: bool) -> Vec<u8> {
    let of = |values: &[u16]| -> Vec<u8> {
        values.iter().flat_map(|v| if big { v.to_be_bytes() } else { v.to_le_bytes() }).collect()
    };
    let start: &[u8] = if big { b"MM\0*\0\0\0\x08" } else { b"II*\0\x08\0\0\0" };
    let count = if big { of(&[0, 1]) } else { of(&[1, 0]) };
    [start, &of(&[1, 0x0112, 3]), &count, &of(&[orientation, 0, 0, 0])].concat()
}

#[test]
fn pictures_are_turned_upright_as_by_pillow_where_that_is_asked_for() {
    let golden = json("image.json");
    for (orientation, expected) in (1..=8).zip(golden["upright"].as_array().unwrap()) {
        let name = format!("turned_{orientation}.png");
        let image = load_upright(&name);
        assert_eq!(
            (image.height() as u64, image.width() as u64),
            (expected["height"].as_u64().unwrap(), expected["width"].as_u64().unwrap())
        );
        assert_eq!(image.pixels(), bytes(&expected["pixels"]), "{orientation}");
        assert_eq!((load(&name).height(), load(&name).width()), (4, 6));
        // The same of JPEG, in both orders of bytes.
        let whole = load("grey.jpg");
        let sides = if orientation > 4 { (40, 24) } else { (24, 40) };
        let [big, little] = [true, false].map(|big| noted(&oriented(orientation, big)));
        let turned = Image::read_upright(Cursor::new(&big), "a.jpg").unwrap();
        assert_eq!((turned.height(), turned.width()), sides, "{orientation}");
        assert_eq!(turned, Image::read_upright(Cursor::new(&little), "a.jpg").unwrap());
        assert_eq!(Image::read(Cursor::new(&big), "a.jpg").unwrap(), whole);
    }
    let (image, exact) = (load_upright("turned.jpg"), bytes(&golden["turned.jpg"]));
    assert_eq!((image.height(), image.width()), (40, 24));
    assert!(image.pixels().iter().zip(&exact).all(|(a, b)| a.abs_diff(*b) <= 5));
    let folder = tempfile::tempdir().unwrap();
    for class in ["a", "b"] {
        fs::create_dir(folder.path().join(class)).unwrap();
        fs::write(folder.path().join(class).join("1.png"), file("turned_6.png")).unwrap();
    }
    for (upright, image) in [(true, load_upright("turned_6.png")), (false, load("turned_6.png"))] {
        let options = ImageOptions { height: 4, width: 4, color: Color::Grey, upright, ..ImageOptions::default() };
        let pictures = ImageFolder::open(folder.path(), options).unwrap();
        assert_eq!(pictures.image(0).unwrap(), image.resize(4, 4, Filter::Bilinear).unwrap());
    }
}

#[test]
fn a_damaged_note_of_the_orientation_turns_nothing() {
    let (whole, good) = (load("grey.jpg"), oriented(6, true));
    let read = |exif: &[u8]| Image::read_upright(Cursor::new(noted(exif)), "a.jpg").unwrap();
    assert_eq!(read(&good).height(), 40);
    for length in 1..good.len() - 6 {
        assert_eq!(read(&good[..length]), whole, "{length} bytes");
    }
    for (at, byte) in [(0, b'x'), (4, 0xff), (7, 0xff), (9, 0), (11, 0x13), (13, 4), (19, 9), (19, 0)] {
        let mut bytes = good.clone();
        bytes[at] = byte;
        assert_eq!(read(&bytes), whole, "byte {at} is {byte}");
    }
    let mut rng = Rng::seed(9);
    for _ in 0..300 {
        let bytes: Vec<u8> = rng.uniforms(40).iter().map(|v| (v * 256.0) as u8).collect();
        let start = [&b"MM\0*"[..], &bytes].concat();
        for exif in [&bytes, &start, &[&good[..8], &bytes].concat()] {
            assert_eq!(read(exif).pixels().len(), whole.pixels().len());
        }
    }
    assert_eq!(load_upright("rgb.png"), load("rgb.png"));
}

#[test]
fn channels_come_first_and_are_normalized_each_by_itself() {
    let rgb = load("rgb.png");
    let x = rgb.to_array();
    assert_eq!(x.dim(), (3, 13, 17));
    let value = |c, y, x| f32::from(rgb.pixels()[(y * 17 + x) * 3 + c]);
    assert_eq!(x, Array3::from_shape_fn((3, 13, 17), |(c, y, x)| value(c, y, x) / 255.0));
    let normalized = Normalize::imagenet().apply(x.clone()).unwrap();
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]);
    for c in 0..3 {
        assert_eq!(normalized.index_axis(Axis(0), c), x.index_axis(Axis(0), c).mapv(|v| (v - mean[c]) / std[c]));
    }
    assert!(Normalize::imagenet().apply(load("grey.png").to_array()).is_err());
    assert!(Normalize { mean: vec![0.0], std: vec![0.0] }.apply(load("grey.png").to_array()).is_err());
}

#[test]
fn sizes_out_of_range_are_refused() {
    let rgb = load("rgb.png");
    let text = |result: Result<Image>| result.unwrap_err().to_string();
    assert!(text(rgb.resize(0, 4, Filter::Nearest)).starts_with("resize: 0 rows of 4 pixels; give at least 1"));
    assert!(text(rgb.resize(1 << 14, 1 << 14, Filter::Nearest)).contains("134217728 pixels at most"));
    assert!(text(rgb.resize(1, 1 << 26, Filter::Bilinear)).starts_with("resize: "));
    assert_eq!(
        text(rgb.crop(10, 0, 4, 2)),
        "crop: 4 rows of 2 pixels from row 10, column 0 on; the picture has 13 rows of 17"
    );
    assert!(rgb.crop(0, usize::MAX, 1, 2).is_err() && rgb.crop(0, 0, 0, 1).is_err());
    assert!(rgb.center_crop(14, 1).is_err() && rgb.random_crop(1, 18, &mut Rng::seed(0)).is_err());
    assert!(Image::new(vec![0; 11], Color::Rgb, 2, 2).unwrap_err().to_string().contains("11 numbers for 2 rows of 2"));
    assert!(Image::new(vec![], Color::Rgb, 0, 2).is_err() && Image::new(vec![], Color::Rgb, usize::MAX, 2).is_err());
}

/// A chunk of a PNG file, with its checksum (CRC-32 of ISO 3309, bit by bit).
fn chunk(kind: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let body = [&kind[..], data].concat();
    let crc = body.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    });
    [&(data.len() as u32).to_be_bytes()[..], &body, &(!crc).to_be_bytes()].concat()
}

#[test]
fn a_header_that_declares_a_huge_picture_is_refused() {
    let side = 60_000u32.to_be_bytes();
    let header = chunk(b"IHDR", &[&side[..], &side, &[8, 2, 0, 0, 0]].concat());
    let png = [b"\x89PNG\r\n\x1a\n", &header[..], &chunk(b"IDAT", &[0; 9]), &chunk(b"IEND", &[])].concat();
    let error = read(&png).unwrap_err();
    assert!(matches!(error, Error::Format { .. }), "{error}");
    assert!(error.to_string().starts_with("a.png: header: 60000 rows of 60000 pixels; give at least 1"), "{error}");
    let mut jpeg = file("rgb.jpg");
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xf0, 0xff, 0xf0]); // height, width
    assert!(read(&jpeg).unwrap_err().to_string().starts_with("a.png: header: 65520 rows of 65520 pixels"));
}

#[test]
fn files_that_are_cut_off_damaged_or_of_another_kind_are_refused() {
    for name in ["rgb.png", "palette.png", "grey_16.png", "rgb.jpg", "progressive.jpg", "grey.jpg"] {
        let whole = file(name);
        for length in 0..whole.len() {
            match read(&whole[..length]) {
                // Its pixels are all there by then: what ends the file is missing.
                Ok(image) => assert!(length + 20 > whole.len() && image == load(name), "{name} cut at {length}"),
                Err(error) => assert!(matches!(error, Error::Format { .. }), "{name} cut at {length}: {error}"),
            }
        }
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x55;
            if let Err(error) = read(&damaged) {
                assert!(matches!(error, Error::Format { .. }), "{name} damaged at {at}: {error}");
            }
        }
    }
    let error = read(b"GIF89a..").unwrap_err().to_string();
    assert_eq!(error, "a.png: no picture that is read: it begins with \"GIF89a..\"; convert it to PNG or JPEG");
    let missing = Image::load("no/such.png").unwrap_err();
    assert!(missing.code() == "io" && missing.to_string().starts_with("no/such.png: "), "{missing}");
}

/// Two classes of two pictures, bright to the left and bright to the right.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for class in ["left", "right"] {
        fs::create_dir(folder.path().join(class)).unwrap();
        for (name, height) in [("1.png", 6u8), ("2.png", 11)] {
            let bright = |x: u8| if (x < 4) == (class == "left") { 200 } else { 20 };
            let pixels = (0..height).flat_map(|y| (0..8).map(move |x| bright(x) + y)).collect();
            let image = Image::new(pixels, Color::Grey, height.into(), 8).unwrap();
            image.save_png(folder.path().join(class).join(name)).unwrap();
        }
    }
    folder
}

#[test]
fn a_folder_gives_batches_of_one_size_with_their_labels() {
    let (folder, device) = (folder(), Device::cpu());
    let options = ImageOptions { height: 4, width: 6, margin: 2, color: Color::Grey, ..ImageOptions::default() };
    let pictures = ImageFolder::open(folder.path(), options.clone()).unwrap();
    assert_eq!(pictures.found().classes(), ["left", "right"]);
    let (x, y) = pictures.batch(&[3, 0], &device).unwrap();
    assert_eq!((x.shape().dims(), y.to_vec::<u32>().unwrap()), (&[2, 1, 4, 6][..], vec![1, 0]));
    let second = Image::load(folder.path().join("left/1.png")).unwrap();
    let exact = second.resize(6, 8, Filter::Bilinear).unwrap().center_crop(4, 6).unwrap();
    assert_eq!(x.to_vec::<f32>().unwrap()[24..], exact.to_array().into_raw_vec_and_offset().0);
    assert_eq!(pictures.prepare(&second, &device).unwrap().to_vec::<f32>().unwrap(), x.to_vec::<f32>().unwrap()[24..]);

    let normalize = Some(Normalize { mean: vec![0.5], std: vec![0.25] });
    let options = ImageOptions { normalize, ..options };
    let (normal, _) = ImageFolder::open(folder.path(), options).unwrap().batch(&[3, 0], &device).unwrap();
    let by_hand: Vec<f32> = x.to_vec::<f32>().unwrap().iter().map(|v| (v - 0.5) / 0.25).collect();
    assert_eq!(normal.to_vec::<f32>().unwrap(), by_hand);
    assert!(pictures.batch(&[4], &device).unwrap_err().to_string().contains("picture 4 of 4; count from 0"));
    assert!(pictures.batch(&[], &device).is_err());
}

#[test]
fn augmentation_follows_the_seed_and_flips_as_often_as_asked() {
    let (folder, device) = (folder(), Device::cpu());
    let options = ImageOptions { height: 6, width: 6, margin: 2, color: Color::Grey, ..ImageOptions::default() };
    let open = |options| ImageFolder::open(folder.path(), options).unwrap();
    let draw = |pictures: &ImageFolder, rng: &mut Rng| {
        pictures.augmented(&[0, 1, 2, 3], rng, &device).unwrap().0.to_vec::<f32>().unwrap()
    };
    let pictures = open(ImageOptions { horizontal_flip: 0.25, ..options.clone() });
    let rng = &mut Rng::seed(5);
    let (first, next) = (draw(&pictures, rng), draw(&pictures, rng));
    assert_ne!(first, next);
    assert_eq!(first, draw(&pictures, &mut Rng::seed(5)));
    let flipped = |image: &Image| image.pixels()[0] < image.pixels()[5];
    let flips = (0..400).filter(|_| flipped(&pictures.augmented_image(0, rng).unwrap())).count();
    assert!((60..140).contains(&flips), "{flips} of 400 flipped, 100 on average with a deviation of 9");
    let always = open(ImageOptions { vertical_flip: 1.0, margin: 0, ..options.clone() });
    assert_eq!(always.augmented_image(2, rng).unwrap(), always.image(2).unwrap().flip_vertical());
    for wrong in [
        ImageOptions { horizontal_flip: 1.5, ..options.clone() },
        ImageOptions { height: 0, ..options.clone() },
        ImageOptions { width: usize::MAX, ..options.clone() },
        ImageOptions { normalize: Some(Normalize::imagenet()), ..options },
    ] {
        assert_eq!(ImageFolder::open(folder.path(), wrong).unwrap_err().code(), "argument");
    }
}
