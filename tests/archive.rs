//! Model files: what is written reads back, what is damaged or foreign is refused or read as what it is.

use half::{bf16, f16};
use proptest::prelude::*;
use safetensors::tensor::TensorView;
use std::fs;
use tilework::io::{Archive, HostTensor, LoadOptions, NonFinite};
use tilework::{Error, Shape};

/// The content of `tests/data/format_1.safetensors`, which every later version must read.
fn golden() -> Archive {
    let mut archive = Archive::new("line");
    let mut put = |name: &str, tensor| archive.tensors.insert(name.to_owned(), tensor);
    put("weight", HostTensor::new(&[1.5f32, -2.0, 0.1, 3e38, -0.0, 1e-45], [2, 3]).unwrap());
    put("half", HostTensor::new(&[1.0, -65504.0, 0.1].map(f16::from_f32), [3]).unwrap());
    put("brain", HostTensor::new(&[1.0, -3e38, 0.1].map(bf16::from_f32), [1, 3, 1]).unwrap());
    put("count", HostTensor::new(&[7u32, u32::MAX], [2]).unwrap());
    put("step", HostTensor::new(&[i32::MIN], ()).unwrap());
    put("mask", HostTensor::new(&[true, false, true], [3]).unwrap());
    put("none", HostTensor::new::<f32>(&[], [0, 4]).unwrap());
    archive.metadata = serde_json::json!({ "features": ["größe", "b"], "seed": u64::MAX, "mean": 0.1 });
    archive
}

const GOLDEN: &[u8] = include_bytes!("data/format_1.safetensors");

fn load(bytes: &[u8]) -> tilework::Result<Archive> {
    Archive::from_bytes(bytes, "x.safetensors", LoadOptions::default())
}

fn saved(archive: &Archive) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    archive.save_with(&path, NonFinite::Allow).unwrap();
    fs::read(path).unwrap()
}

fn text(result: tilework::Result<Archive>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn the_golden_file_of_format_1_reads_as_what_was_written() {
    assert_eq!(load(GOLDEN).unwrap(), golden());
}

#[test]
fn the_same_content_gives_the_same_bytes() {
    assert_eq!(saved(&golden()), saved(&golden()));
}

#[test]
fn a_golden_file_cut_at_any_byte_is_refused() {
    for length in 0..GOLDEN.len() {
        assert!(matches!(load(&GOLDEN[..length]), Err(Error::Format { .. })), "cut at {length}");
    }
    assert!(text(load(&[GOLDEN, &[0]].concat())).contains("longer"));
}

#[test]
fn no_changed_byte_of_a_golden_file_changes_the_content_unnoticed() {
    let golden = golden();
    let mut bytes = GOLDEN.to_vec();
    for at in 0..bytes.len() {
        for change in 1..=255 {
            bytes[at] ^= change;
            if let Ok(archive) = load(&bytes) {
                assert_eq!(archive, golden, "byte {at} changed by {change}");
            }
            bytes[at] ^= change;
        }
    }
}

#[test]
fn other_readers_of_safetensors_read_ours() {
    let bytes = saved(&golden());
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let weight = file.tensor("weight").unwrap();
    assert_eq!((weight.shape(), weight.dtype()), (&[2, 3][..], safetensors::Dtype::F32));
    assert_eq!(weight.data()[..4], 1.5f32.to_le_bytes());
    assert_eq!(file.tensor("mask").unwrap().data(), [1, 0, 1]);
    assert_eq!(file.len(), 7);
}

#[test]
fn files_of_other_writers_are_plain_weights() {
    // Written by the Python package safetensors 0.8 with metadata {"format": "pt"}.
    let archive = load(include_bytes!("data/python.safetensors")).unwrap();
    assert_eq!((archive.kind.as_str(), &archive.metadata), (Archive::WEIGHTS, &serde_json::Value::Null));
    assert_eq!(archive.tensor("layer.weight").unwrap().to_vec::<f32>().unwrap(), [0.0, 0.5, 1.0, 1.5, 2.0, 2.5]);
    assert_eq!(archive.tensor("layer.weight").unwrap().shape(), Shape::new(&[2, 3]).unwrap());
    assert_eq!(archive.tensor("half").unwrap().to_vec::<f16>().unwrap(), [f16::ONE]);
    assert_eq!(archive.tensor("flags").unwrap().to_vec::<bool>().unwrap(), [true, false]);

    let view = TensorView::new(safetensors::Dtype::I64, vec![1], &[0; 8]).unwrap();
    let bytes = safetensors::serialize([("w", &view)], None).unwrap();
    assert_eq!(
        text(load(&bytes)),
        r#"x.safetensors: tensor "w" is of type I64; convert it to F64, F32, F16, BF16, I32, U32 or BOOL"#
    );
}

#[test]
fn files_that_are_none_or_too_new_or_of_another_kind_say_so() {
    assert!(text(load(b"")).starts_with("x.safetensors: not a safetensors file"));
    assert!(text(load(b"a,b\n1,2\n3,4\n")).starts_with("x.safetensors: not a safetensors file"));
    let huge = [&(u64::MAX).to_le_bytes()[..], &[0; 100]].concat();
    assert!(text(load(&huge)).starts_with("x.safetensors: not a safetensors file"));

    let at = GOLDEN.windows(18).position(|w| w == br#"format_version\":1"#).unwrap() + 17;
    let mut bytes = GOLDEN.to_vec();
    bytes[at] = b'2';
    let expected = "x.safetensors: written by a newer version: format 2, this one reads up to 1; update tilework";
    assert_eq!(text(load(&bytes)), expected);

    let archive = load(GOLDEN).unwrap();
    let error = archive.expect_kind("mlp").unwrap_err().to_string();
    assert_eq!(error, r#"x.safetensors: holds kind "line"; "mlp" is needed here"#);
    assert!(archive.expect_kind("line").is_ok());
    let error = archive.tensor("bias").unwrap_err().to_string();
    assert_eq!(error, r#"x.safetensors: no tensor "bias" among 7 of kind "line""#);
    assert!(archive.metadata_as::<Vec<u32>>().unwrap_err().to_string().starts_with("x.safetensors: unusable metadata"));

    let small = LoadOptions { max_bytes: 100, ..LoadOptions::default() };
    let error = text(Archive::from_bytes(GOLDEN, "x.safetensors", small));
    assert_eq!(error, format!("x.safetensors: too large: {} bytes; at most 100, unless allowed more", GOLDEN.len()));
}

#[test]
fn weights_that_are_not_finite_are_refused_unless_allowed() {
    let mut archive = Archive::new("line");
    archive.tensors.insert("w".into(), HostTensor::new(&[0.0, f32::NEG_INFINITY], [2]).unwrap());
    let bytes = saved(&archive);
    let expected = r#"x.safetensors: NaN or infinity in "w" at element 1; such weights are refused"#;
    assert_eq!(text(load(&bytes)), expected);
    let allow = LoadOptions { non_finite: NonFinite::Allow, ..LoadOptions::default() };
    assert_eq!(Archive::from_bytes(&bytes, "x.safetensors", allow).unwrap(), archive);
}

#[test]
fn a_save_that_fails_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.safetensors");
    golden().save(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let mut broken = golden();
    broken.tensors.insert("w".into(), HostTensor::new(&[f32::NAN], [1]).unwrap());
    assert!(matches!(broken.save(&path), Err(Error::NonFinite { .. })));
    let mut broken = golden();
    broken.metadata = "x".repeat(1 << 20).into();
    assert!(matches!(broken.save(&path), Err(Error::Format { .. })));
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    assert!(matches!(golden().save(&path), Err(Error::Io { .. })));
    assert!(matches!(golden().save(folder.path()), Err(Error::Io { .. })));
    assert_eq!(fs::read(&path).unwrap(), before);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_missing_file_is_an_error_of_the_system() {
    assert!(matches!(Archive::load("/no/such/file"), Err(Error::Io { .. })));
    assert!(Archive::load(std::env::temp_dir()).is_err());
}

fn tensors() -> impl Strategy<Value = HostTensor> {
    let shape = prop::collection::vec(0usize..5, 0..4);
    (shape, 0..6, any::<u64>()).prop_map(|(dims, dtype, seed)| {
        let count: usize = dims.iter().product();
        let words = (0..count as u64).map(|i| (seed.wrapping_mul(2 * i + 1) >> 32) as u32);
        let shape = dims.as_slice();
        match dtype {
            0 => HostTensor::new(
                &words.map(f32::from_bits).map(|v| if v.is_nan() { 0.5 } else { v }).collect::<Vec<_>>(),
                shape,
            ),
            1 => HostTensor::new(&words.collect::<Vec<_>>(), shape),
            2 => HostTensor::new(&words.map(|w| w as i32).collect::<Vec<_>>(), shape),
            3 => HostTensor::new(&words.map(|w| w & 1 == 1).collect::<Vec<_>>(), shape),
            4 => HostTensor::new(&words.map(|w| f16::from_bits(w as u16)).collect::<Vec<_>>(), shape),
            _ => HostTensor::new(&words.map(|w| bf16::from_bits(w as u16)).collect::<Vec<_>>(), shape),
        }
        .unwrap()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn archives_survive_the_file(tensors in prop::collection::btree_map(".{1,12}", tensors(), 0..5), numbers: Vec<f64>) {
        let mut archive = Archive::new("any");
        archive.tensors = tensors;
        archive.metadata = numbers.iter().filter(|v| v.is_finite()).copied().collect::<Vec<_>>().into();
        let bytes = saved(&archive);
        let allow = LoadOptions { non_finite: NonFinite::Allow, ..LoadOptions::default() };
        prop_assert_eq!(Archive::from_bytes(&bytes, "a", allow).unwrap(), archive);
    }

    #[test]
    fn arbitrary_bytes_after_a_plausible_length_never_panic(length in 0u64..80, bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = load(&[&length.to_le_bytes()[..], &bytes].concat());
    }

    #[test]
    fn several_changed_bytes_never_panic(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6)) {
        let mut bytes = GOLDEN.to_vec();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(archive) = load(&bytes) {
            prop_assert_eq!(archive, golden());
        }
    }
}
