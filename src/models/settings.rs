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
        let at = wrong.map_or_else(String::new, |(name, _)| format!("{name}: "));
        Error::argument(kind, format!("settings: {at}{e}; see the type's documentation"))
    })
}
