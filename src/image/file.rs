//! Files of pictures.

use super::upright::orientation;
use super::{Color, Image, numel};
use crate::error::{Error, Result};
use crate::io::write_atomic;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek};
use std::path::Path;
use zune_jpeg::JpegDecoder;
use zune_jpeg::errors::DecodeErrors;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

/// Bytes of a JPEG file at most: eight for each pixel that is read.
const MAX_JPEG: u64 = 1 << 30;

impl Image {
    /// Reads a PNG or JPEG file, told apart by how it begins. Grey stays grey, all else becomes RGB; transparency is left out, and
    /// of 16 bits the upper 8 are kept.
    ///
    /// ```
    /// use tilework::image::{Color, Image};
    /// let folder = tempfile::tempdir()?;
    /// let path = folder.path().join("a.png");
    /// let image = Image::new(vec![0, 128, 255, 7], Color::Grey, 2, 2)?;
    /// image.save_png(&path)?;
    /// assert_eq!(Image::load(&path)?, image);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Format`] for another kind of file, one that is damaged or cut off,
    /// and more than 2²⁷ pixels, which are not even allocated.
    pub fn load(path: impl AsRef<Path>) -> Result<Image> {
        Image::read(opened(path.as_ref())?, &path.as_ref().display().to_string())
    }

    /// As [`Image::load`], turned as the camera was held, by what the file notes of it (EXIF's orientation): Pillow's
    /// `ImageOps.exif_transpose`. A note that is missing or damaged turns nothing.
    ///
    /// # Errors
    /// As [`Image::load`].
    pub fn load_upright(path: impl AsRef<Path>) -> Result<Image> {
        Image::read_upright(opened(path.as_ref())?, &path.as_ref().display().to_string())
    }

    /// Reads the bytes of a PNG or JPEG file from anywhere. `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`Image::load`].
    pub fn read(input: impl BufRead + Seek, name: &str) -> Result<Image> {
        stored(input, name).map(|(image, _)| image)
    }

    /// As [`Image::read`], turned as [`Image::load_upright`].
    ///
    /// # Errors
    /// As [`Image::load`].
    pub fn read_upright(input: impl BufRead + Seek, name: &str) -> Result<Image> {
        stored(input, name).map(|(image, orientation)| image.upright(orientation))
    }

    /// Writes a PNG file. It appears whole or not at all.
    ///
    /// # Errors
    /// What the file system reports.
    pub fn save_png(&self, path: impl AsRef<Path>) -> Result<()> {
        let fault = |e: png::EncodingError| Error::internal("save_png", e.to_string());
        let side = |n: usize| u32::try_from(n).map_err(|_| Error::internal("save_png", "a side beyond 32 bits"));
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, side(self.width)?, side(self.height)?);
        encoder.set_color(match self.color {
            Color::Grey => png::ColorType::Grayscale,
            Color::Rgb => png::ColorType::Rgb,
        });
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(fault)?;
        writer.write_image_data(&self.pixels).map_err(fault)?;
        writer.finish().map_err(fault)?;
        write_atomic(path, |out| out.write_all(&bytes))
    }
}

fn opened(path: &Path) -> Result<BufReader<File>> {
    File::open(path).map(BufReader::new).map_err(|e| Error::io(path, e))
}

/// A picture as it is in the file, and its orientation.
fn stored(mut input: impl BufRead + Seek, name: &str) -> Result<(Image, u16)> {
    let io = |e| Error::io(name, e);
    let mut start = Vec::new();
    input.by_ref().take(8).read_to_end(&mut start).map_err(io)?;
    input.rewind().map_err(io)?;
    match start.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => png(input, name),
        [0xff, 0xd8, ..] => jpeg(input, name),
        _ => {
            let begins = String::from_utf8_lossy(&start);
            let message = format!("no picture that is read: it begins with {begins:?}; convert it to PNG or JPEG");
            Err(Error::format(name, message))
        }
    }
}

/// Memory for a picture whose header declares this size.
fn buffer(name: &str, color: Color, height: usize, width: usize, bytes: usize) -> Result<Vec<u8>> {
    numel("header", color, height, width).map_err(|e| Error::format(name, e.to_string()))?;
    let mut pixels = Vec::new();
    if pixels.try_reserve_exact(bytes).is_err() {
        return Err(Error::format(
            name,
            format!("{height} rows of {width} pixels do not fit in memory; make it smaller"),
        ));
    }
    pixels.resize(bytes, 0);
    Ok(pixels)
}

fn png(input: impl BufRead + Seek, name: &str) -> Result<(Image, u16)> {
    let wrong = |e| match e {
        png::DecodingError::IoError(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => Error::io(name, e),
        e => Error::format(name, format!("damaged or cut off: {e}; save it again")),
    };
    let mut decoder = png::Decoder::new(input);
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(wrong)?;
    let side = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    let (height, width) = (side(reader.info().height), side(reader.info().width));
    let (kept, there) = match reader.output_color_type().0 {
        png::ColorType::Grayscale => (Color::Grey, 1),
        png::ColorType::GrayscaleAlpha => (Color::Grey, 2),
        png::ColorType::Rgba => (Color::Rgb, 4),
        png::ColorType::Rgb | png::ColorType::Indexed => (Color::Rgb, 3), // a palette is looked up by then
    };
    let bytes = reader.output_buffer_size().unwrap_or(usize::MAX);
    let mut pixels = buffer(name, kept, height, width, bytes)?;
    reader.next_frame(&mut pixels).map_err(wrong)?;
    if there != kept.channels() {
        let colors = pixels.chunks_exact(there).flat_map(|pixel| pixel.iter().take(kept.channels()));
        pixels = colors.copied().collect();
    }
    let turned = reader.info().exif_metadata.as_deref().map_or(1, orientation);
    Ok((Image::new(pixels, kept, height, width)?, turned))
}

fn jpeg(input: impl Read, name: &str) -> Result<(Image, u16)> {
    let cut = || Error::format(name, "cut off: the end of the picture is missing; save it again");
    let wrong = |e| match e {
        DecodeErrors::IoErrors(_) | DecodeErrors::ExhaustedData => cut(),
        e => Error::format(name, format!("damaged, or of a rare kind: {e:?}; save it again")),
    };
    let mut file = Vec::new();
    input.take(MAX_JPEG).read_to_end(&mut file).map_err(|e| Error::io(name, e))?;
    let options = DecoderOptions::default().set_strict_mode(true).set_max_width(1 << 16).set_max_height(1 << 16);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(&file), options);
    decoder.decode_headers().map_err(wrong)?;
    let (kept, out) = match decoder.input_colorspace() {
        Some(ColorSpace::Luma) => (Color::Grey, ColorSpace::Luma),
        _ => (Color::Rgb, ColorSpace::RGB),
    };
    decoder.set_options(options.jpeg_set_out_colorspace(out));
    let (width, height) = decoder.info().map_or((0, 0), |info| (info.width.into(), info.height.into()));
    let bytes = decoder.output_buffer_size().unwrap_or(usize::MAX);
    let mut pixels = buffer(name, kept, height, width, bytes)?;
    // The decoder makes the last rows grey where they are missing.
    if !is_whole(&file) {
        return Err(cut());
    }
    decoder.decode_into(&mut pixels).map_err(wrong)?;
    let turned = decoder.exif().map_or(1, |exif| orientation(exif));
    Ok((Image::new(pixels, kept, height, width)?, turned))
}

/// Whether a JPEG file reaches its marker of the end.
fn is_whole(file: &[u8]) -> bool {
    let mut rest = file;
    while let Some(at) = rest.iter().position(|&byte| byte == 0xff) {
        rest = rest.get(at + 1..).unwrap_or_default();
        match rest {
            [0xd9, ..] => return true,
            // A byte of pixels, a marker without content, or one more of these before a marker.
            [0x00 | 0x01 | 0xd0..=0xd8 | 0xff, ..] => {}
            [_, high, low, ..] => {
                let length = usize::from(u16::from_be_bytes([*high, *low]));
                rest = rest.get(1 + length..).unwrap_or_default();
            }
            _ => return false,
        }
    }
    false
}
