//! WAV files.

use crate::error::{Error, Result};
use crate::io::write_atomic;
use hound::{SampleFormat, WavReader, WavSpec, WavWriter};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes of a header's `fmt ` part at most; the longest that there is takes 40.
const MAX_FMT: u32 = 4096;

/// A recording: samples from -1 to 1, of one channel or more.
///
/// ```
/// use tilework::audio::Waveform;
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("tone.wav");
/// let tone: Vec<f32> = (0..100u8).map(|i| f32::from(i).sin()).collect();
/// Waveform::new(ndarray::array![[0.0, 0.5, 1.0], [0.5, 0.0, 0.0]], 8000)?.save_wav(&path)?;
/// let wave = Waveform::load_wav(&path)?;
/// assert_eq!((wave.sample_rate(), wave.samples().dim()), (8000, (2, 3)));
/// assert_eq!(wave.to_mono(), [0.25, 0.25, 0.5]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Waveform {
    samples: Array2<f32>,
    sample_rate: u32,
}

impl Waveform {
    /// Takes samples `[channels, samples]` and their number in a second.
    ///
    /// # Errors
    /// [`Error::Argument`] for no channels or a rate of 0; [`Error::NonFinite`] for a sample that is NaN or infinite.
    pub fn new(samples: Array2<f32>, sample_rate: u32) -> Result<Waveform> {
        const OP: &str = "waveform";
        if samples.nrows() == 0 || sample_rate == 0 {
            let message = format!(
                "{} channels at a sample rate of {sample_rate}; give at least one, and a rate above 0",
                samples.nrows()
            );
            return Err(Error::argument(OP, message));
        }
        if let Some((at, value)) = samples.indexed_iter().find(|(_, v)| !v.is_finite()) {
            let message = format!("sample {} of channel {} is {value}; repair the recording", at.1, at.0);
            return Err(Error::NonFinite { op: OP, message });
        }
        Ok(Waveform { samples, sample_rate })
    }

    /// Reads a WAV file: integers of 8, 16, 24 and 32 bits, which become -1 to 1, and floats of 32 bits, which stay as they are.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read; [`Error::Format`] for what is no WAV file, is cut off, has samples of
    /// another kind, or holds NaN.
    pub fn load_wav(path: impl AsRef<Path>) -> Result<Waveform> {
        let path = path.as_ref();
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        Waveform::read_wav(BufReader::new(file), &path.display().to_string())
    }

    /// Reads a WAV file from anywhere. `name` stands for the file in errors.
    ///
    /// # Errors
    /// As [`Waveform::load_wav`].
    pub fn read_wav(mut input: impl Read + Seek, name: &str) -> Result<Waveform> {
        let (header, bytes) = find_data(&mut input, name)?;
        let wrong = |e| wrong(e, name);
        let mut reader = WavReader::new(Cursor::new(header).chain(input.take(bytes))).map_err(wrong)?;
        let WavSpec { channels, sample_rate, bits_per_sample, sample_format } = reader.spec();
        let numel = reader.len() as usize; // at most the bytes that are there
        let mut values: Vec<f32> = Vec::new();
        if values.try_reserve_exact(numel).is_err() {
            return Err(Error::format(name, format!("{numel} samples do not fit in memory; cut it into parts")));
        }
        match sample_format {
            SampleFormat::Float => {
                for sample in reader.samples::<f32>() {
                    values.push(sample.map_err(wrong)?);
                }
            }
            SampleFormat::Int => {
                let full = 2f64.powi(i32::from(bits_per_sample) - 1);
                for sample in reader.samples::<i32>() {
                    values.push((f64::from(sample.map_err(wrong)?) / full) as f32);
                }
            }
        }
        let channels = usize::from(channels);
        // A file has the channels side by side.
        let side_by_side = Array2::from_shape_vec((values.len() / channels.max(1), channels), values)
            .map_err(|_| Error::format(name, format!("samples that do not fill {channels} channels; save it again")))?;
        let samples = side_by_side.reversed_axes().as_standard_layout().into_owned();
        Waveform::new(samples, sample_rate).map_err(|e| Error::format(name, e.to_string()))
    }

    /// Writes a WAV file of 32-bit floats, which keep every sample as it is. It appears whole or not at all.
    ///
    /// # Errors
    /// What the file system reports; [`Error::Argument`] for more than 65,535 channels, or 4 GiB.
    pub fn save_wav(&self, path: impl AsRef<Path>) -> Result<()> {
        let (channels, length) = self.samples.dim();
        let bytes = self.samples.len().checked_mul(4).filter(|&bytes| bytes <= u32::MAX as usize - 128); // 128: the header
        let (Ok(channels), Some(_)) = (u16::try_from(channels), bytes) else {
            let message =
                format!("{channels} channels of {length} samples are beyond a WAV file's 4 GiB; cut it into parts");
            return Err(Error::argument("save_wav", message));
        };
        let spec = WavSpec {
            channels,
            sample_rate: self.sample_rate,
            bits_per_sample: 32,
            sample_format: SampleFormat::Float,
        };
        let mut file = Cursor::new(Vec::new());
        let fill = |file: &mut Cursor<Vec<u8>>| {
            let mut writer = WavWriter::new(file, spec)?;
            for &sample in self.samples.t() {
                writer.write_sample(sample)?;
            }
            writer.finalize()
        };
        fill(&mut file).map_err(|e| Error::internal("save_wav", e.to_string()))?;
        write_atomic(path, |out| out.write_all(file.get_ref()))
    }

    /// The samples, `[channels, samples]`.
    pub fn samples(&self) -> ArrayView2<'_, f32> {
        self.samples.view()
    }

    /// The samples of a channel, counted from 0.
    ///
    /// # Errors
    /// [`Error::Argument`] for a channel that is not there.
    pub fn channel(&self, channel: usize) -> Result<ArrayView1<'_, f32>> {
        if channel >= self.samples.nrows() {
            let message = format!("channel {channel} of {}; count from 0", self.samples.nrows());
            return Err(Error::argument("channel", message));
        }
        Ok(self.samples.row(channel))
    }

    /// The mean of all channels: `librosa.to_mono`.
    pub fn to_mono(&self) -> Vec<f32> {
        let channels = self.samples.nrows() as f64;
        let mean = |column: ArrayView1<'_, f32>| column.iter().map(|&v| f64::from(v)).sum::<f64>() / channels;
        self.samples.axis_iter(Axis(1)).map(|column| mean(column) as f32).collect()
    }

    /// Samples in a second.
    pub fn sample_rate(&self) -> u32 {
        self.sample_rate
    }

    /// Its length in seconds.
    pub fn seconds(&self) -> f64 {
        self.samples.ncols() as f64 / f64::from(self.sample_rate)
    }
}

/// The start of a file that has nothing but format and samples, and the bytes of the samples, which `input` then stands at.
///
/// hound would stumble over a part of odd length, which has a byte after it, and believe any length of the samples.
fn find_data(input: &mut (impl Read + Seek), name: &str) -> Result<(Vec<u8>, u64)> {
    let cut = |e: io::Error| match e.kind() {
        io::ErrorKind::UnexpectedEof => Error::format(name, "cut off before its samples; save it again"),
        _ => Error::io(name, e),
    };
    let length = input.seek(SeekFrom::End(0)).and_then(|length| input.rewind().map(|()| length)).map_err(cut)?;
    let mut start = Vec::new();
    input.by_ref().take(12).read_to_end(&mut start).map_err(cut)?;
    match start.as_slice() {
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'A', b'V', b'E'] => {}
        [b'R', b'F', b'6', b'4', ..] => {
            let message = "WAV file of the kind RF64, for more than 4 GiB; save it as plain WAV, in parts";
            return Err(Error::format(name, message));
        }
        _ => {
            let begins = String::from_utf8_lossy(&start);
            let message = format!("no WAV file: it begins with {begins:?}, not RIFF and WAVE; convert it to WAV");
            return Err(Error::format(name, message));
        }
    }
    let mut format: Option<Vec<u8>> = None;
    loop {
        let mut part = [0; 8];
        input.read_exact(&mut part).map_err(cut)?;
        let [a, b, c, d, size @ ..] = part;
        let size = u32::from_le_bytes(size);
        match &[a, b, c, d] {
            b"fmt " if size <= MAX_FMT => {
                let mut bytes = vec![0; size as usize];
                input.read_exact(&mut bytes).map_err(cut)?;
                input.seek_relative(i64::from(size % 2)).map_err(cut)?;
                format = Some([&part[..], &bytes].concat());
            }
            b"data" => {
                let format = format.ok_or_else(|| Error::format(name, "samples before their format; save it again"))?;
                let here = length.saturating_sub(input.stream_position().map_err(cut)?);
                // A program that writes to a pipe cannot know the length beforehand.
                let size = if size == u32::MAX { u32::try_from(here).unwrap_or(u32::MAX) } else { size };
                if u64::from(size) > here {
                    let message = format!("cut off: {size} bytes of samples declared, {here} are there; save it again");
                    return Err(Error::format(name, message));
                }
                return Ok(([&start[..], &format, b"data", &size.to_le_bytes()].concat(), size.into()));
            }
            _ => input.seek_relative(i64::from(size) + i64::from(size % 2)).map_err(cut)?,
        }
    }
}

/// What hound found wrong.
fn wrong(error: hound::Error, name: &str) -> Error {
    let advice = "save it as PCM of 8, 16, 24 or 32 bits, or as 32-bit floats";
    match error {
        hound::Error::IoError(e) => Error::io(name, e),
        hound::Error::FormatError(what) => Error::format(name, format!("damaged or unusual header: {what}; {advice}")),
        _ => Error::format(name, format!("samples of a kind that is not read; {advice}")),
    }
}
