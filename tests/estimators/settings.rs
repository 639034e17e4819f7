//! Settings: names, defaults, types.

use super::case::Case;
use serde_json::{Map, Value, json};
use tilework::Error;

pub fn name(case: &Case) {
    let name = case.row.name;
    assert!(name.chars().all(|c| c.is_ascii_lowercase() || c == '-' || c.is_ascii_digit()), "{name}");
}

/// The case's settings with all others at their default.
fn written_out(case: &Case) -> Map<String, Value> {
    let mut settings = case.row.settings().unwrap();
    settings.extend(case.settings.clone());
    settings
}

pub fn defaults(case: &Case) {
    let settings = written_out(case);
    case.row.check(&settings).unwrap_or_else(|e| panic!("{case}: {e}"));
    case.row.check(&Map::new()).unwrap_or_else(|e| panic!("{case}: {e}"));
    let data = case.data(30, 2, 100);
    let whole = case.learn_with(&settings, &data.problem(case.row)).unwrap();
    assert_eq!(case.numbers(&*whole, &data.x), case.numbers(&*case.fit(&data), &data.x), "{case}");
}

pub fn json(case: &Case) {
    let settings = Value::Object(written_out(case));
    let text = serde_json::to_string(&settings).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), settings, "{case}");
}

pub fn unknown(case: &Case) {
    let mut settings = written_out(case);
    settings.insert("no_such_setting".into(), Value::Null);
    let data = case.data(30, 2, 101);
    let errors = [case.row.check(&settings).err(), case.learn_with(&settings, &data.problem(case.row)).err()];
    for error in errors {
        let text = error.unwrap().to_string();
        assert!(text.contains("no_such_setting") && text.starts_with(case.row.name), "{case}: {text}");
    }
}

pub fn wrong_type(case: &Case) {
    for (name, value) in written_out(case) {
        let mut settings = case.settings.clone();
        let wrong = if value.is_object() { json!([true]) } else { json!({"no": ["such", "value"]}) };
        settings.insert(name.clone(), wrong);
        let text = case.row.check(&settings).unwrap_err().to_string();
        assert!(text.contains(&format!("{name}:")), "{case}: {name} is not named: {text}");
    }
}

/// A word that is none of a setting's is refused, and said.
pub fn unknown_words(case: &Case) {
    let data = case.data(30, 2, 104);
    for (name, value) in written_out(case) {
        if value.is_string() {
            let mut settings = case.settings.clone();
            settings.insert(name.clone(), "no-such-word".into());
            match case.learn_with(&settings, &data.problem(case.row)) {
                Ok(_) => panic!("{case} learns with {name} no-such-word"),
                Err(error) => assert!(error.to_string().contains("no-such-word"), "{case}, {name}: {error}"),
            }
        }
    }
}

/// Each number out of range is refused by the setting's name, or does no harm.
pub fn out_of_range(case: &Case) {
    let data = case.data(30, 2, 103);
    for (name, value) in written_out(case) {
        let tried = match value {
            Value::Number(number) if number.is_f64() => vec![json!(-1.0), json!(0.0), json!(1e300), Value::Null],
            Value::Number(_) => vec![json!(-1), json!(0), json!(0.5), Value::Null],
            _ => continue,
        };
        for value in tried {
            let mut settings = case.settings.clone();
            settings.insert(name.clone(), value.clone());
            match case.learn_with(&settings, &data.problem(case.row)) {
                Ok(model) => case.expect_finite(&*model, &data.x),
                Err(error) => {
                    let text = error.to_string();
                    let named = text.contains(&name) && text.starts_with(case.row.name);
                    assert!(named || matches!(error, Error::NonFinite { .. }), "{case}, {name} = {value}: {text}");
                }
            }
        }
    }
}

pub fn prints(case: &Case) {
    let model = case.fit(&case.data(30, 2, 102));
    assert!(format!("{model:?}").starts_with("Fitted"), "{case}: {model:?}");
}
