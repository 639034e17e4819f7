//! The report: one HTML file that needs no other, with scores, charts, and what the model goes by.

use super::super::failure::Outcome;
use super::super::score::{digits, short};
use super::explain::{Drawn, Worth};
use super::fitted::Weights;
use super::scored::Scored;
use super::values::shown;
use crate::models::selection::CrossValidation;
use serde_json::{Map, Value};
use std::fmt::Write;

/// Features with a bar of their own.
const SHOWN: usize = 25;

/// A page in the making.
pub(super) struct Page {
    title: String,
    body: String,
}

/// What a search tried.
pub(super) struct Trials {
    /// A line for each.
    pub rows: Vec<String>,
    /// How the lines of the best begin.
    pub best: Vec<String>,
}

const STYLE: &str = include_str!("page.css");

impl Page {
    pub fn new(model: &str, data: &str) -> Page {
        let title = format!("{} on {}", text(model), text(data));
        let body = format!("<header><p>tilework {}</p><h1>{title}</h1></header>\n", env!("CARGO_PKG_VERSION"));
        Page { title, body }
    }

    pub fn html(self) -> String {
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}</main>\n</body>\n</html>\n",
            self.title, self.body
        )
    }

    fn add(&mut self, html: impl AsRef<str>) {
        self.body.push_str(html.as_ref());
        self.body.push('\n');
    }

    fn section(&mut self, heading: &str, html: impl AsRef<str>) {
        self.add(format!("<section><h2>{}</h2>\n{}</section>", text(heading), html.as_ref()));
    }

    /// Where the model comes from, and how its answers are meant.
    pub fn facts(
        &mut self,
        data: &str,
        preparation: &[String],
        settings: &Map<String, Value>,
        seconds: f64,
        answers: &[(&str, String)],
    ) {
        let mut rows = vec![("data", text(data))];
        rows.extend(
            preparation.iter().enumerate().map(|(i, line)| (if i == 0 { "preparation" } else { "" }, text(line))),
        );
        let settings: Vec<String> = settings.iter().map(|(name, value)| format!("{name} = {}", shown(value))).collect();
        let settings = if settings.is_empty() { "all at their defaults".to_owned() } else { settings.join(", ") };
        rows.push(("settings", text(&settings)));
        rows.push(("fit", format!("{seconds:.3} s")));
        rows.extend(answers.iter().map(|(name, value)| (*name, text(value))));
        let rows: String =
            rows.iter().map(|(name, value)| format!("<tr><th>{name}</th><td>{value}</td></tr>\n")).collect();
        self.add(format!("<table class=\"facts\">\n{rows}</table>"));
    }

    /// Scores, the classes one by one, and all charts.
    pub fn scores(&mut self, scored: &Scored, what: &str) -> Outcome {
        let tile = |(name, value): &(&str, f64)| {
            let value = digits(*value);
            format!("<div class=\"tile\"><b>{value}</b><span>{}</span></div>\n", name.replace('_', " "))
        };
        let tiles: String = scored.metrics.iter().map(tile).collect();
        let heading = format!("Scores of the {what}, {}", super::super::count(scored.rows(), "row"));
        self.section(&heading, format!("<div class=\"tiles\">\n{tiles}</div>\n"));
        let mut charts = String::new();
        for chart in scored.charts()? {
            let _ = writeln!(charts, "<figure>{}</figure>", chart.svg()?);
        }
        self.section("Charts", format!("<div class=\"charts\">\n{charts}</div>\n"));
        if let Some(report) = scored.report()? {
            let mut rows =
                String::from("<tr><th></th><th>precision</th><th>recall</th><th>F1</th><th>rows</th></tr>\n");
            let averages = [("mean", &report.macro_avg), ("mean by rows", &report.weighted_avg)];
            let classes = report.names.iter().map(String::as_str).zip(&report.classes);
            for (i, (name, s)) in classes.chain(averages).enumerate() {
                let class = if i == report.names.len() { " class=\"sum\"" } else { "" };
                let (name, (p, r, f, n)) = (text(name), (s.precision, s.recall, s.f1, s.support));
                let _ = writeln!(
                    rows,
                    "<tr{class}><th>{name}</th><td>{p:.3}</td><td>{r:.3}</td><td>{f:.3}</td><td>{n}</td></tr>"
                );
            }
            self.section("Classes", format!("<table class=\"numbers\">\n{rows}</table>\n"));
        }
        Ok(())
    }

    pub fn folds(&mut self, found: &CrossValidation) {
        let mut rows = String::from("<tr><th></th><th>mean</th><th>deviation</th><th>folds</th></tr>\n");
        for (name, scores) in found.names.iter().zip(&found.scores) {
            let (mean, deviation) = found.summary(name).unwrap_or((f64::NAN, f64::NAN));
            let folds: Vec<String> = scores.iter().map(|score| digits(*score)).collect();
            let _ = writeln!(
                rows,
                "<tr><th>{}</th><td>{}</td><td>{}</td><td>{}</td></tr>",
                name.replace('_', " "),
                digits(mean),
                digits(deviation),
                folds.join(" ")
            );
        }
        self.section("Cross-validation", format!("<table class=\"numbers\">\n{rows}</table>\n"));
    }

    pub fn search(&mut self, trials: Trials) {
        let best = trials.best.join(", ");
        let row = |line: &String| {
            let class = if line.starts_with(&format!("{best}:")) { " class=\"best\"" } else { "" };
            format!("<li{class}>{}</li>\n", text(line))
        };
        let rows: String = trials.rows.iter().map(row).collect();
        self.section("Search", format!("<ol class=\"search\">\n{rows}</ol>\n"));
    }

    pub fn weights(&mut self, weights: &[Weights]) {
        for weights in weights {
            let rows: Vec<(&str, f64, String)> =
                weights.values.iter().map(|(name, value)| (name.as_str(), *value, String::new())).collect();
            let mut heading = weights.heading.clone();
            heading.get_mut(..1).into_iter().for_each(|first| first.make_ascii_uppercase());
            self.section(&heading, bars(&rows));
        }
    }

    pub fn permutation(&mut self, score: &str, worth: &Worth) {
        let rows: Vec<(&str, f64, String)> = worth
            .iter()
            .map(|(name, importance)| (name.as_str(), importance.mean, format!(" ± {}", short(importance.deviation))))
            .collect();
        self.section(&format!("What each column is worth: {score} lost when it is shuffled"), bars(&rows));
    }

    pub fn tree(&mut self, tree: &Drawn) {
        self.section("The tree", format!("<div class=\"tree\">{}</div>\n", tree.svg));
    }
}

/// Names with values as bars to the right of a middle line, or to its left.
fn bars(rows: &[(&str, f64, String)]) -> String {
    let most = rows.iter().map(|(_, value, _)| value.abs()).fold(0.0, f64::max);
    let signed = rows.iter().any(|(_, value, _)| *value < 0.0);
    let mut html = String::from("<div class=\"bars\">\n");
    for (name, value, after) in rows.iter().take(SHOWN) {
        let share = if most > 0.0 { 100.0 * value.abs() / most } else { 0.0 };
        let (width, left) = match (signed, *value < 0.0) {
            (false, _) => (share, 0.0),
            (true, true) => (share / 2.0, 50.0 - share / 2.0),
            (true, false) => (share / 2.0, 50.0),
        };
        let class = if *value < 0.0 { "less" } else { "more" };
        let _ = writeln!(
            html,
            "<span>{}</span><i><u class=\"{class}\" style=\"left:{left:.2}%;width:{width:.2}%\"></u></i><em>{}{}</em>",
            text(name),
            if *value < 0.0 { format!("−{}", short(value.abs())) } else { short(*value) },
            text(after)
        );
    }
    html.push_str("</div>\n");
    match rows.len().saturating_sub(SHOWN) {
        0 => html,
        more => format!("{html}<p>and {more} more, all smaller</p>\n"),
    }
}

/// Text that no browser takes for markup.
fn text(raw: &str) -> String {
    raw.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_a_file_are_no_markup() {
        let mut page = Page::new("ridge", "<script>alert(1)</script>.csv");
        page.weights(&[Weights { heading: "coefficients of <b>".into(), values: vec![("<i>&\"".into(), -1.0)] }]);
        page.search(Trials { rows: vec!["a=<u>: 1".into()], best: vec!["a=<u>".into()] });
        let html = page.html();
        for bad in ["<script", "<b>\"", "<i>&\"", "a=<u>"] {
            assert!(!html.contains(bad), "{bad}");
        }
        assert!(html.contains("Coefficients of &lt;b&gt;") && html.contains("class=\"best\""));
        assert!(html.contains("left:0.00%;width:50.00%"));
    }
}
