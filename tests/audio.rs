//! Sound beside librosa's numbers, and WAV files beside libsndfile's. `tests/data/golden_audio.py` made both.

#[path = "common/golden.rs"]
mod golden;

use golden::{close, json, numbers, path};
use ndarray::{Array2, array};
use std::io::Cursor;
use tilework::audio::{MelNorm, MelScale, MelSpectrogram, Mfcc, PadMode, PowerToDb, Stft, Waveform, Window};
use tilework::{Error, Result};

const RATE: u32 = 8000;

/// Both sides compute in f64; of librosa's numbers 9 digits are kept.
const DIGITS: f64 = 5e-9;

/// The signal of `golden_audio.py`: a tone that rises, and noise.
fn signal(n: u32) -> Vec<f32> {
    let mut state = 12345u32;
    let sample = |i| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let ramp = (i * (20 + i / 40)) % 256;
        ((ramp as f32 - 128.0) * 100.0 + (state >> 20) as f32 - 2048.0) / 32768.0
    };
    (0..n).map(sample).collect()
}

fn mel(n_mels: usize) -> MelSpectrogram {
    let stft = Stft { n_fft: 256, hop_length: Some(150), ..Stft::default() };
    MelSpectrogram { stft, n_mels, ..MelSpectrogram::default() }
}

/// A second of two channels: tones of a pitch each, which swell and fade so that the ends are silent.
fn tones(rate: u32, pitches: [f64; 2]) -> Waveform {
    let sample = |(channel, i): (usize, usize)| {
        let seconds = i as f64 / f64::from(rate);
        ((std::f64::consts::PI * seconds).sin().powi(4) * (std::f64::consts::TAU * pitches[channel] * seconds).sin())
            as f32
    };
    Waveform::new(Array2::from_shape_fn((2, rate as usize), sample), rate).unwrap()
}

#[test]
fn another_sample_rate_keeps_what_it_can_hold_and_drops_the_rest() {
    let apart = |a: &Waveform, b: &Waveform| {
        assert_eq!((a.sample_rate(), a.samples().dim()), (b.sample_rate(), b.samples().dim()));
        (&a.samples() - &b.samples()).iter().fold(0.0f32, |most, v| most.max(v.abs()))
    };
    for (from, to) in [(44_100, 16_000), (8000, 16_000), (16_000, 8000), (48_000, 44_100), (22_050, 8000)] {
        let pitches = [440.0, 0.47 * f64::from(from.min(to))];
        let error = apart(&tones(from, pitches).resample(to).unwrap(), &tones(to, pitches));
        assert!(error < 1e-5, "{from} to {to}: {error}");
    }
    let silence = Waveform::new(Array2::zeros((2, 8000)), 8000).unwrap();
    let error = apart(&tones(44_100, [4500.0, 20_000.0]).resample(8000).unwrap(), &silence);
    assert!(error < 1e-5, "{error}");
    let short = Waveform::new(array![[0.25, 0.5, 0.25]], 8000).unwrap();
    assert_eq!(short.resample(8000).unwrap(), short);
    assert_eq!(short.resample(11_025).unwrap().samples().dim(), (1, 5)); // ceil(3 · 1.378)
    let said = |rate: u32| short.resample(rate).unwrap_err().to_string();
    assert!(said(0).starts_with("resample: from 8000 to 0 samples a second: give a rate above 0"), "{}", said(0));
    assert!(said(u32::MAX).contains("common divisor"), "{}", said(u32::MAX));
}

#[test]
fn windows_and_spectra_are_librosa_s() {
    let golden = json("audio.json");
    close("hamming", Window::Hamming.weights(5), &numbers(&golden["window_hamming_5"]), DIGITS);
    assert_eq!(Window::Hann.weights(1), [1.0]);
    let y = signal(1500);
    for case in golden["stft"].as_array().unwrap() {
        let settings = &case["settings"];
        let size = |name: &str| settings[name].as_u64().map(|v| v as usize);
        let stft = Stft {
            n_fft: size("n_fft").unwrap(),
            hop_length: size("hop_length"),
            win_length: size("win_length"),
            window: match settings["window"].as_str().unwrap() {
                "hann" => Window::Hann,
                "hamming" => Window::Hamming,
                _ => Window::Rectangular,
            },
            center: settings["center"].as_bool().unwrap_or(true),
            pad_mode: if settings["pad_mode"] == "reflect" { PadMode::Reflect } else { PadMode::Constant },
        };
        let magnitude = stft.magnitude(&y).unwrap();
        let (bins, frames) = magnitude.dim();
        assert_eq!(case["shape"], serde_json::json!([bins, frames]), "{settings}");
        assert_eq!(frames, stft.frames(y.len()).unwrap());
        close("magnitude", magnitude.iter().copied(), &numbers(&case["magnitude"]), DIGITS);
        close("power", stft.power(&y).unwrap(), &magnitude.mapv(|v| v * v).into_raw_vec_and_offset().0, 1e-12);
    }
}

#[test]
fn mel_bands_are_librosa_s() {
    let golden = json("audio.json");
    let eight = |settings: MelSpectrogram| {
        let stft = Stft { n_fft: 128, ..Stft::default() };
        MelSpectrogram { stft, n_mels: 8, ..settings }.filters(RATE).unwrap()
    };
    let plain = MelSpectrogram { norm: MelNorm::None, fmin: 200.0, fmax: Some(3000.0), ..MelSpectrogram::default() };
    let htk = MelSpectrogram { scale: MelScale::Htk, ..MelSpectrogram::default() };
    for (name, settings) in [("slaney", MelSpectrogram::default()), ("htk", htk), ("plain", plain)] {
        close(name, eight(settings), &numbers(&golden["filters"][name]), DIGITS);
    }
    let y = signal(1500);
    close("mel", mel(20).transform(&y, RATE).unwrap(), &numbers(&golden["mel"]), DIGITS);
    let settings = MelSpectrogram { scale: MelScale::Htk, norm: MelNorm::None, power: 1.0, ..mel(10) };
    let settings = MelSpectrogram { stft: Stft { center: false, ..settings.stft }, ..settings };
    let found = settings.transform(&y, RATE).unwrap();
    close("mel of magnitudes", found, &numbers(&golden["mel_htk_magnitude"]), DIGITS);
    for scale in [MelScale::Slaney, MelScale::Htk] {
        for hz in [0.0, 20.0, 999.0, 1000.0, 1001.0, 22_050.0] {
            assert!((scale.hz(scale.mel(hz)) - hz).abs() < 1e-9, "{scale:?} {hz}");
        }
    }
}

#[test]
fn decibels_and_coefficients_are_librosa_s() {
    let (golden, y) = (json("audio.json"), signal(1500));
    let db = PowerToDb { reference: 0.5, top_db: Some(30.0), ..PowerToDb::default() };
    close("db", db.transform(&mel(20).transform(&y, RATE).unwrap()).unwrap(), &numbers(&golden["db"]), DIGITS);
    let mfcc = Mfcc { mel: mel(40), ..Mfcc::default() }.transform(&y, RATE).unwrap();
    close("mfcc", mfcc, &numbers(&golden["mfcc"]), DIGITS);
    close("mfcc", Mfcc::default().transform(&y, RATE).unwrap(), &numbers(&golden["mfcc_default"]), DIGITS);
}

#[test]
fn settings_are_read_from_json_and_unknown_names_refused() {
    let mfcc: Mfcc = serde_json::from_str(r#"{"n_mfcc": 13, "mel": {"stft": {"window": "hamming"}}}"#).unwrap();
    assert_eq!((mfcc.n_mfcc, mfcc.mel.stft.window, mfcc.mel.n_mels), (13, Window::Hamming, 128));
    assert!(serde_json::from_str::<Mfcc>(r#"{"mel": {"nmels": 13}}"#).is_err());
}

#[test]
fn settings_and_sounds_out_of_range_are_refused() {
    let y = signal(100);
    let stft = |stft: Stft| stft.power(&y).unwrap_err().to_string();
    let base = Stft { n_fft: 64, ..Stft::default() };
    assert!(stft(Stft { n_fft: 0, ..base.clone() }).starts_with("stft: n_fft is 0; give 1"));
    assert!(stft(Stft { n_fft: usize::MAX, ..base.clone() }).contains("n_fft is"));
    assert!(stft(Stft { win_length: Some(65), ..base.clone() }).contains("win_length is 65; give 1 to n_fft, 64"));
    assert!(stft(Stft { hop_length: Some(0), ..base.clone() }).contains("hop_length is 0"));
    assert!(
        stft(Stft { n_fft: 101, center: false, ..base.clone() }).contains("100 samples do not fill a frame of 101")
    );
    assert!(base.power(&[]).unwrap_err().to_string().contains("0 samples"));
    let nan = base.power(&[0.0, f32::NAN]).unwrap_err();
    assert_eq!((nan.code(), nan.to_string()), ("non-finite", "stft: sample 1 is NaN; repair the recording".into()));

    let refused = |settings: MelSpectrogram| settings.transform(&y, RATE).unwrap_err().to_string();
    assert!(refused(MelSpectrogram { n_mels: 0, ..mel(1) }).contains("n_mels is 0"));
    assert!(refused(MelSpectrogram { fmax: Some(4001.0), ..mel(1) }).contains("bands from 0 to 4001 Hz"));
    assert!(refused(MelSpectrogram { fmin: f64::NAN, ..mel(1) }).contains("bands from NaN"));
    assert!(refused(MelSpectrogram { power: 0.0, ..mel(1) }).contains("power is 0"));
    assert!(mel(4).transform(&y, 0).is_err());
    let more = Mfcc { mel: mel(4), n_mfcc: 5, ..Mfcc::default() }.transform(&y, RATE).unwrap_err();
    assert_eq!(more.to_string(), "mfcc: n_mfcc is 5; give 1 to n_mels, 4");
    for db in
        [PowerToDb { amin: 0.0, ..PowerToDb::default() }, PowerToDb { top_db: Some(-1.0), ..PowerToDb::default() }]
    {
        assert!(db.transform(&array![[1.0]]).is_err());
    }
}

#[test]
fn files_of_every_sample_format_are_read_as_libsndfile_reads_them() {
    let golden = json("audio.json");
    for name in ["pcm_u8", "pcm_16", "pcm_24", "pcm_32", "float"] {
        let wave = Waveform::load_wav(path(&format!("sounds/{name}.wav"))).unwrap();
        assert_eq!((wave.sample_rate(), wave.samples().dim()), (11025, (2, 25)), "{name}");
        let exact: Vec<f32> = numbers(&golden[name]).into_iter().map(|v| v as f32).collect();
        // To f32, and 9 digits suffice to tell those apart.
        assert_eq!(wave.samples().iter().copied().collect::<Vec<f32>>(), exact, "{name}");
        assert_eq!((wave.channel(0).unwrap()[3], wave.channel(1).unwrap()[3]), (exact[3], exact[28]));
        let mono: Vec<f32> = (0..25).map(|i| (exact[i] + exact[25 + i]) / 2.0).collect();
        close(
            "mono",
            wave.to_mono().into_iter().map(f64::from),
            &mono.iter().map(|&v| v.into()).collect::<Vec<_>>(),
            1e-7,
        );
    }
}

fn read(bytes: &[u8]) -> Result<Waveform> {
    Waveform::read_wav(Cursor::new(bytes), "a.wav")
}

fn sixteen() -> Vec<u8> {
    std::fs::read(path("sounds/pcm_16.wav")).unwrap()
}

#[test]
fn what_is_written_reads_back_to_the_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.wav");
    let samples = Array2::from_shape_fn((3, 40), |(i, j)| ((i * 40 + j) as f32).sin() * 1.5);
    let wave = Waveform::new(samples, 44_100).unwrap();
    wave.save_wav(&path).unwrap();
    assert_eq!(Waveform::load_wav(&path).unwrap(), wave);
    assert!((wave.seconds() - 40.0 / 44_100.0).abs() < 1e-15);
    assert!(wave.channel(3).is_err() && Waveform::new(Array2::zeros((1, 1)), 0).is_err());
    assert!(Waveform::new(array![[f32::INFINITY]], 1).is_err());
}

#[test]
fn a_file_cut_at_any_byte_is_refused_and_never_believed() {
    let whole = sixteen();
    for length in 0..whole.len() {
        let error = read(&whole[..length]).unwrap_err();
        assert!(matches!(error, Error::Format { .. }) && error.to_string().starts_with("a.wav: "), "{length}: {error}");
    }
    let mut lying = whole;
    lying[40..44].copy_from_slice(&0xffff_fff0u32.to_le_bytes());
    let error = read(&lying).unwrap_err().to_string();
    assert_eq!(error, "a.wav: cut off: 4294967280 bytes of samples declared, 100 are there; save it again");
}

#[test]
fn any_byte_may_be_damaged_without_a_panic() {
    let whole = sixteen();
    for at in 0..44 {
        for value in [0, 1, 3, 0x7f, 0xfe, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            if let Err(error) = read(&damaged) {
                assert!(matches!(error, Error::Format { .. }), "byte {at} as {value}: {error}");
            }
        }
    }
}

#[test]
fn parts_of_odd_length_and_lengths_unknown_to_the_writer_are_read() {
    let (whole, exact) = (sixteen(), read(&sixteen()).unwrap());
    let part = |length: u32| [b"LIST", &length.to_le_bytes()[..], &[7, 7, 7, 0]].concat(); // the 0 fills up
    assert_eq!(
        read(&[&whole[..12], &part(3), &whole[12..36], &part(3), &whole[36..], &part(4)].concat()).unwrap(),
        exact
    );
    let mut streamed = whole.clone();
    streamed[40..44].copy_from_slice(&u32::MAX.to_le_bytes());
    assert_eq!(read(&streamed).unwrap(), exact);
}

#[test]
fn files_of_other_kinds_are_refused_with_advice() {
    let error = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
    assert_eq!(
        error(b"ID3\x04"),
        "a.wav: no WAV file: it begins with \"ID3\\u{4}\", not RIFF and WAVE; convert it to WAV"
    );
    assert!(error(b"RF64\xff\xff\xff\xffWAVE").contains("RF64"));
    let mut other = sixteen();
    other[20] = 2; // ADPCM
    assert!(error(&other).contains("samples of a kind that is not read; save it as PCM"));
    assert!(error(&[&sixteen()[..12], &sixteen()[36..]].concat()).contains("samples before their format"));
    let missing = Waveform::load_wav("no/such.wav").unwrap_err();
    assert!(missing.code() == "io" && missing.to_string().starts_with("no/such.wav: "), "{missing}");
}
