//! Settings as they are written on a command line: `alpha=0.1,fit_intercept=false`.

use super::super::failure::{Failure, Outcome};
use crate::error::Error;
use serde_json::Value;

/// `name=value` pairs with commas between them; a comma within a list stays there.
pub(super) fn settings(option: &str, text: &str) -> Outcome<Vec<(String, Value)>> {
    let mut pairs: Vec<String> = Vec::new();
    for piece in text.split(',') {
        match pairs.last_mut() {
            Some(last) if !piece.contains('=') => *last = format!("{last},{piece}"),
            _ => pairs.push(piece.to_owned()),
        }
    }
    pairs.iter().map(|pair| pair_of(option, pair).map(|(name, text)| (name, value(&text)))).collect()
}

/// `name=v1,v2,v3`, the values to try.
pub(super) fn axis(option: &str, text: &str) -> Outcome<(String, Vec<Value>)> {
    let (name, values) = pair_of(option, text)?;
    let mut pieces: Vec<String> = Vec::new();
    let mut depth = 0i64;
    for piece in values.split(',') {
        match pieces.last_mut() {
            Some(last) if depth > 0 => *last = format!("{last},{piece}"),
            _ => pieces.push(piece.to_owned()),
        }
        depth += piece.matches('[').count() as i64 - piece.matches(']').count() as i64;
    }
    Ok((name, pieces.iter().map(|piece| value(piece)).collect()))
}

fn pair_of(option: &str, text: &str) -> Outcome<(String, String)> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(Failure::usage(format!("{option} {text}: give NAME=VALUE, for example alpha=0.1"))),
    }
}

/// A number, true, false, null or a list as in JSON (or Python); all else is text.
fn value(text: &str) -> Value {
    match text.trim() {
        "True" => Value::Bool(true),
        "False" => Value::Bool(false),
        "None" => Value::Null,
        text => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
    }
}

/// Why a setting is refused, in words of the command line.
pub(super) fn refused(option: &str, error: &Error) -> Failure {
    let mut text = error.to_string().replace("; see the type's documentation", "");
    for (rust, words) in
        [("f64", "a number"), ("usize", "a whole number of at least 0"), ("u64", "a whole number of at least 0")]
    {
        text = text.replace(&format!("expected {rust}"), &format!("expected {words}"));
    }
    Failure::usage(format!("{option}: {text}"))
}

/// How a value reads.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_json_or_text() {
        let parsed =
            settings("--set", "alpha=0.1,hidden=[64,32],kernel=rbf,max_depth=None,scale.with_mean=False").unwrap();
        let values: Vec<Value> = parsed.iter().map(|(_, value)| value.clone()).collect();
        assert_eq!(values, [json!(0.1), json!([64, 32]), json!("rbf"), Value::Null, json!(false)]);
        assert_eq!(parsed[4].0, "scale.with_mean");
        assert_eq!(axis("--search", "h=[8],[8,4],x").unwrap().1, [json!([8]), json!([8, 4]), json!("x")]);
        for text in ["", "alpha", "=1", "alpha="] {
            assert!(settings("--set", text).is_err() && axis("--search", text).is_err(), "{text}");
        }
    }
}
