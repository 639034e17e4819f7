//! The header of a safetensors file: 8 bytes of length, little-endian, then JSON with each tensor's type, shape and place,
//! and text under `__metadata__`. Format: <https://github.com/huggingface/safetensors#format>.

use super::host::{FileType, HostTensor};
use crate::dtype::DType;
use crate::shape::Shape;
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Bytes of JSON: safetensors allows 100 MB, which a small hostile file may claim.
pub(super) const MAX_HEADER: u64 = 1 << 20;
const MAX_ENTRIES: usize = 65_536;
const METADATA: &str = "__metadata__";

/// One tensor's entry, checked.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) dtype: FileType,
    pub(super) shape: Shape,
}

/// What a header says: text by key, and tensors in the order of their bytes.
#[derive(Debug, Default)]
pub(super) struct Header {
    pub(super) metadata: BTreeMap<String, String>,
    pub(super) entries: Vec<Entry>,
}

impl Header {
    /// Checks the JSON of a header against the bytes that follow it.
    pub(super) fn parse(json: &[u8], payload: u64) -> Result<Header, String> {
        let Json { metadata, mut tensors } =
            serde_json::from_slice(json).map_err(|e| format!("damaged header: {e}"))?;
        // Empty tensors share an offset; among them the order is that of `Header::order`, which the checksum follows.
        tensors.sort_by_cached_key(|(name, info)| (info.data_offsets, Reverse(info.dtype.bitsize()), name.clone()));
        // The crate holds that the tensors' bytes begin at 0, leave no gap, do not overlap, and fit type and shape.
        let layout = Metadata::new(None, tensors.clone()).map_err(|e| format!("damaged header: {e}"))?;
        if layout.data_len() as u64 != payload {
            let more = if payload > layout.data_len() as u64 { "longer" } else { "cut short" };
            return Err(format!("{more}: {payload} bytes of tensors, the header tells of {}", layout.data_len()));
        }
        let entries = tensors.into_iter().map(|(name, info)| entry(name, &info)).collect::<Result<_, _>>()?;
        Ok(Header { metadata, entries })
    }

    /// Tensors in the order of their bytes: larger elements first, so that each is aligned.
    pub(super) fn order(tensors: &BTreeMap<String, HostTensor>) -> Vec<(&String, &HostTensor)> {
        let mut order: Vec<_> = tensors.iter().collect();
        order.sort_by_key(|(_, tensor)| Reverse(tensor.dtype().bytes())); // stable: names stay sorted
        order
    }

    /// Length and JSON of the header of tensors in that order.
    pub(super) fn compose(
        metadata: BTreeMap<String, String>,
        order: &[(&String, &HostTensor)],
    ) -> Result<Vec<u8>, String> {
        let mut start = 0;
        let mut tensors = Vec::with_capacity(order.len());
        for (name, tensor) in order {
            if *name == METADATA || tensors.len() == MAX_ENTRIES {
                return Err(format!("tensor {name:?} of {}: the name is reserved, or there are too many", order.len()));
            }
            let end = start + tensor.file_bytes();
            let (dtype, shape) = (to_file(tensor.dtype()), tensor.shape().dims().to_vec());
            tensors.push(((*name).clone(), TensorInfo { dtype, shape, data_offsets: (start, end) }));
            start = end;
        }
        let mut json =
            serde_json::to_vec(&Json { metadata, tensors }).map_err(|e| format!("cannot be described: {e}"))?;
        json.resize(json.len().next_multiple_of(8), b' '); // the tensors begin aligned
        match json.len() as u64 {
            length if length <= MAX_HEADER => Ok([length.to_le_bytes().as_slice(), &json].concat()),
            length => Err(format!("names and metadata take {length} bytes; at most {MAX_HEADER}")),
        }
    }
}

fn entry(name: String, info: &TensorInfo) -> Result<Entry, String> {
    let dtype = from_file(info.dtype).ok_or_else(|| {
        format!("tensor {name:?} is of type {}; convert it to F64, F32, F16, BF16, I32, U32 or BOOL", info.dtype)
    })?;
    let shape = Shape::new(&info.shape).map_err(|e| format!("tensor {name:?}: {e}"))?;
    Ok(Entry { name, dtype, shape })
}

fn to_file(dtype: FileType) -> Dtype {
    match dtype {
        FileType::F64 => Dtype::F64,
        FileType::Device(DType::Bool) => Dtype::BOOL,
        FileType::Device(DType::U32) => Dtype::U32,
        FileType::Device(DType::I32) => Dtype::I32,
        FileType::Device(DType::F16) => Dtype::F16,
        FileType::Device(DType::BF16) => Dtype::BF16,
        FileType::Device(DType::F32) => Dtype::F32,
    }
}

fn from_file(dtype: Dtype) -> Option<FileType> {
    FileType::ALL.into_iter().find(|&ours| to_file(ours) == dtype)
}

/// The header as it stands in JSON. The crate's own type lets the last of two equal keys win, and writes keys in random order.
struct Json {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(String, TensorInfo)>,
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        if !self.metadata.is_empty() {
            map.serialize_entry(METADATA, &self.metadata)?;
        }
        for (name, info) in &self.tensors {
            map.serialize_entry(name, info)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Json;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
                let mut json = Json { metadata: BTreeMap::new(), tensors: Vec::new() };
                let mut seen = BTreeSet::new();
                while let Some(key) = map.next_key::<String>()? {
                    if key == METADATA {
                        json.metadata = map.next_value::<Texts>()?.0;
                    } else {
                        json.tensors.push((key.clone(), map.next_value()?));
                    }
                    if seen.len() == MAX_ENTRIES {
                        return Err(A::Error::custom(format_args!("more than {MAX_ENTRIES} tensors")));
                    }
                    if !seen.insert(key) {
                        return Err(A::Error::custom("a name is used twice"));
                    }
                }
                Ok(json)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// Text by key, each key once.
struct Texts(BTreeMap<String, String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Texts, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                let mut texts = BTreeMap::new();
                while let Some((key, value)) = map.next_entry()? {
                    if texts.insert(key, value).is_some() {
                        return Err(A::Error::custom("a key of the metadata is used twice"));
                    }
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str, payload: u64) -> String {
        Header::parse(json.as_bytes(), payload).unwrap_err()
    }

    #[test]
    fn headers_that_lie_are_refused() {
        let cases = [
            ("", 0, "damaged header: EOF"),
            ("[]", 0, "damaged header: invalid type: sequence, expected an object of tensors"),
            (r#"{"a":1}"#, 0, "damaged header: invalid type: integer"),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#, 4, "damaged header: EOF"),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}x"#, 4, "damaged header: trailing characters"),
            (r#"{"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}}"#, 4, "damaged header: unknown variant `F33`"),
            (r#"{"a":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}}"#, 8, "tensor \"a\" is of type I64; convert it"),
            (r#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "damaged header: invalid value"),
            (r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "damaged header: invalid shape"),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "damaged header: invalid offset"),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "damaged header: invalid offset"),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 3, "cut short: 3 bytes of tensors"),
            (r#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 8, "longer: 8 bytes of tensors"),
            (
                r#"{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,4]}}"#,
                4,
                "damaged header: overflow",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[0,4294967296],"data_offsets":[0,0]}}"#,
                0,
                "tensor \"a\": shape: too many",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,4]}}"#,
                4,
                "tensor \"a\": shape: at most 8",
            ),
            (
                r#"{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#,
                0,
                "damaged header: a name is used twice",
            ),
            (
                r#"{"a":{"dtype":"F32","dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#,
                0,
                "damaged header: duplicate field",
            ),
            (r#"{"__metadata__":{},"__metadata__":{}}"#, 0, "damaged header: a name is used twice"),
            (r#"{"__metadata__":{"k":"1","k":"2"}}"#, 0, "damaged header: a key of the metadata is used twice"),
            (r#"{"__metadata__":{"k":1}}"#, 0, "damaged header: invalid type: integer"),
        ];
        for (json, payload, begin) in cases {
            let message = error(json, payload);
            assert!(message.starts_with(begin), "{json} gave {message}");
        }
    }

    #[test]
    fn deep_and_wide_json_is_refused_without_harm() {
        assert!(error(&"[".repeat(100_000), 0).starts_with("damaged header"));
        let deep = format!(r#"{{"a":{{"x":{}"#, "[".repeat(100_000));
        assert!(error(&deep, 0).starts_with("damaged header"));
        let entry = |i| format!(r#""{i}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#);
        let wide = format!("{{{}}}", (0..=MAX_ENTRIES).map(entry).collect::<Vec<_>>().join(","));
        assert!(error(&wide, 0).starts_with("damaged header: more than 65536 tensors"));
    }

    #[test]
    fn overlaps_and_gaps_between_tensors_are_refused() {
        let two = |a: &str, b: &str, payload| {
            let json = format!(
                r#"{{"a":{{"dtype":"U32","shape":[2],"data_offsets":{a}}},"b":{{"dtype":"U32","shape":[1],"data_offsets":{b}}}}}"#
            );
            Header::parse(json.as_bytes(), payload).map(|header| header.entries.len())
        };
        assert_eq!(two("[0,8]", "[8,12]", 12), Ok(2));
        assert_eq!(two("[4,12]", "[0,4]", 12), Ok(2));
        assert!(two("[0,8]", "[4,8]", 8).is_err());
        assert!(two("[0,8]", "[12,16]", 16).is_err());
    }

    #[test]
    fn names_that_cannot_be_read_back_are_not_written() {
        let tensor = HostTensor::new(&[1.0f32], [1]).unwrap();
        let compose = |name: &str| Header::compose(BTreeMap::new(), &[(&name.to_owned(), &tensor)]).map(|h| h.len());
        assert!(compose("__metadata__").is_err());
        assert!(compose(&"x".repeat(1 << 20)).is_err());
        assert_eq!(compose("w").map(|length| length % 8), Ok(0));
    }
}
