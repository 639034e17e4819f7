//! Settings by name, as the command, pipelines and files give them.

use crate::error::{Error, Result};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// The settings of a kind; those left out keep their default.
///
/// # Errors
/// [`Error::Argument`] that names the setting which is not known or not of the right type.
pub(super) fn settled<E: DeserializeOwned>(kind: &'static str, settings: &Value) -> Result<E> {
    E::deserialize(settings).map_err(|e| {
        let alone = |name: &str, value: &Value| Value::Object(Map::from_iter([(name.to_owned(), value.clone())]));
        let mut each = settings.as_object().into_iter().flatten();
        let wrong = each.find(|(name, value)| E::deserialize(alone(name, value)).is_err());
        let what = match wrong {
            // Types of several forms say in their `expecting` which to give, and not what they were given.
            Some((name, value)) if e.to_string().starts_with("give ") => {
                format!("{name}: {value} is none of its values; {e}")
            }
            // Serde tells of others the Rust type.
            Some((name, value)) if e.to_string().contains("untagged enum") => {
                format!("{name}: {value} is none of its values")
            }
            Some((name, _)) => format!("{name}: {e}"),
            None => e.to_string(),
        };
        Error::argument(kind, format!("settings: {what}; see the type's documentation"))
    })
}
