//! Notes of a file as JSON, which has no NaN and no infinity: serde_json writes `null` for them, and no reader makes a number of
//! that. So what holds one is refused, by its name.

use crate::error::{Error, Result};
use serde::ser::{self, Serialize, Serializer};
use serde_json::Value;
use std::fmt::{self, Display};

/// A note as JSON.
///
/// # Errors
/// [`Error::NonFinite`] that names the field which holds a NaN or infinity; what has no JSON, such as a map with keys that are no
/// text.
pub(crate) fn to_json(op: &'static str, note: &impl Serialize) -> Result<Value> {
    if let Err(Fault::Number { value, path }) = note.serialize(Check) {
        let message =
            format!("{path} is {value}, which no file holds: numbers left the range of floats; scale the columns");
        return Err(Error::NonFinite { op, message });
    }
    serde_json::to_value(note).map_err(|e| Error::internal(op, e.to_string()))
}

/// What is found in a note.
#[derive(Debug)]
enum Fault {
    Number {
        value: f64,
        /// The fields on the way to it, the outermost first.
        path: String,
    },
    /// Something that JSON itself will refuse, or not.
    Other,
}

impl Fault {
    fn within(self, field: &str) -> Fault {
        match self {
            Fault::Number { value, path } if path.is_empty() => Fault::Number { value, path: field.to_owned() },
            Fault::Number { value, path } => Fault::Number { value, path: format!("{field}.{path}") },
            Fault::Other => Fault::Other,
        }
    }
}

impl Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl std::error::Error for Fault {}

impl ser::Error for Fault {
    fn custom<T: Display>(_: T) -> Fault {
        Fault::Other
    }
}

type Checked = std::result::Result<(), Fault>;

/// Walks a note and stops at the first number that is not finite.
#[derive(Clone, Copy)]
struct Check;

/// Of values that hold no float.
macro_rules! fine {
    ($($method:ident($($argument:ty),*);)*) => {
        $(fn $method(self $(, _: $argument)*) -> Checked { Ok(()) })*
    };
}

/// Of values that hold others.
macro_rules! opened {
    ($($method:ident($($argument:ty),*);)*) => {
        $(fn $method(self $(, _: $argument)*) -> std::result::Result<Check, Fault> { Ok(self) })*
    };
}

impl Serializer for Check {
    type Ok = ();
    type Error = Fault;
    type SerializeSeq = Check;
    type SerializeTuple = Check;
    type SerializeTupleStruct = Check;
    type SerializeTupleVariant = Check;
    type SerializeMap = Check;
    type SerializeStruct = Check;
    type SerializeStructVariant = Check;

    fn serialize_f32(self, value: f32) -> Checked {
        self.serialize_f64(value.into())
    }

    fn serialize_f64(self, value: f64) -> Checked {
        if value.is_finite() { Ok(()) } else { Err(Fault::Number { value, path: String::new() }) }
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Checked {
        value.serialize(self)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Checked {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Checked {
        value.serialize(self).map_err(|fault| fault.within(variant))
    }

    fine! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    opened! {
        serialize_seq(Option<usize>);
        serialize_tuple(usize);
        serialize_tuple_struct(&'static str, usize);
        serialize_tuple_variant(&'static str, u32, &'static str, usize);
        serialize_map(Option<usize>);
        serialize_struct(&'static str, usize);
        serialize_struct_variant(&'static str, u32, &'static str, usize);
    }
}

/// Of compound values, whose parts come one by one.
macro_rules! compound {
    ($($kind:ident: $method:ident;)*) => {
        $(impl ser::$kind for Check {
            type Ok = ();
            type Error = Fault;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Checked {
                value.serialize(*self)
            }

            fn end(self) -> Checked {
                Ok(())
            }
        })*
    };
}

/// The same where each part has a name.
macro_rules! named {
    ($($kind:ident;)*) => {
        $(impl ser::$kind for Check {
            type Ok = ();
            type Error = Fault;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Checked {
                value.serialize(*self).map_err(|fault| fault.within(name))
            }

            fn end(self) -> Checked {
                Ok(())
            }
        })*
    };
}

compound! {
    SerializeSeq: serialize_element;
    SerializeTuple: serialize_element;
    SerializeTupleStruct: serialize_field;
    SerializeTupleVariant: serialize_field;
}

named! {
    SerializeStruct;
    SerializeStructVariant;
}

impl ser::SerializeMap for Check {
    type Ok = ();
    type Error = Fault;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, _: &T) -> Checked {
        Ok(())
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Checked {
        value.serialize(*self)
    }

    fn end(self) -> Checked {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Serialize;

    #[derive(Serialize)]
    struct Note {
        n_iter: usize,
        precisions: Option<(f64, f64)>,
        terms: Vec<Term>,
        names: Vec<&'static str>,
    }

    #[derive(Serialize)]
    enum Term {
        Line { slope: f32 },
        Level(f64),
        None,
    }

    fn note(terms: Vec<Term>, precisions: Option<(f64, f64)>) -> Result<Value> {
        to_json("save", &Note { n_iter: 3, precisions, terms, names: vec!["x"] })
    }

    #[test]
    fn a_number_that_json_does_not_have_is_refused_by_its_name() {
        let said = |terms, precisions| note(terms, precisions).unwrap_err().to_string();
        assert!(said(vec![], Some((1.0, f64::NAN))).starts_with("save: precisions is NaN, which "));
        assert!(said(vec![Term::Line { slope: f32::INFINITY }], None).starts_with("save: terms.slope is inf, which "));
        assert!(said(vec![Term::Level(-f64::INFINITY)], None).starts_with("save: terms.Level is -inf, which "));
        let map = std::collections::BTreeMap::from([("a", f64::NAN)]);
        assert!(to_json("save", &map).is_err());
    }

    #[test]
    fn all_else_is_what_serde_json_makes_of_it() {
        let terms = vec![Term::Line { slope: 0.5 }, Term::Level(2.0), Term::None];
        let value = note(terms, Some((1.0, 2.0))).unwrap();
        assert_eq!(value["terms"], serde_json::json!([{"Line": {"slope": 0.5}}, {"Level": 2.0}, "None"]));
        assert_eq!((&value["precisions"][1], &value["n_iter"]), (&2.0.into(), &3.into()));
    }
}
