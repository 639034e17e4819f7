//! Lines over sizes as an SVG, both axes logarithmic: equal steps are equal factors.

use super::super::chart::{COLORS, GRID, INK, ready};
use super::super::failure::{Failure, Outcome};
use super::report::amount;
use plotters::coord::Shift;
use plotters::prelude::*;
use std::error::Error;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Pixels of a panel, and of the line above all.
const PANEL: (u32, u32) = (640, 470);
const HEAD: u32 = 120;

pub(super) struct Panel {
    pub title: String,
    pub x: &'static str,
    pub y: String,
    pub curves: Vec<Curve>,
}

pub(super) struct Curve {
    /// The place in the legend.
    pub color: usize,
    pub points: Vec<(f64, f64)>,
    /// A limit: thin and broken.
    pub dashed: bool,
}

/// `legend`: what each colour stands for.
pub(super) fn draw(title: &str, legend: &[String], panels: &[Panel]) -> Outcome<String> {
    ready();
    let mut svg = String::new();
    drawn(&mut svg, title, legend, panels).map_err(|error| Failure::failed(format!("plot: {error}")))?;
    Ok(svg)
}

fn color(index: usize) -> RGBColor {
    COLORS.get(index % COLORS.len()).copied().unwrap_or(INK)
}

fn drawn(svg: &mut String, title: &str, legend: &[String], panels: &[Panel]) -> Result<(), Box<dyn Error>> {
    let columns = panels.len().clamp(1, if panels.len() == 4 { 2 } else { 3 });
    let rows = panels.len().div_ceil(columns).max(1);
    let size = (PANEL.0 * columns as u32, HEAD + PANEL.1 * rows as u32);
    let area = SVGBackend::with_string(svg, size).into_drawing_area();
    area.fill(&WHITE)?;
    let (head, body) = area.split_vertically(HEAD);
    head.draw(&Text::new(title, (32, 22), ("sans-serif", 32).into_font().color(&INK)))?;
    let mut x = 34;
    for (index, name) in legend.iter().enumerate() {
        head.draw(&Circle::new((x + 8, 86), 8, color(index).filled()))?;
        head.draw(&Text::new(name.as_str(), (x + 26, 75), ("sans-serif", 24).into_font().color(&INK)))?;
        x += 70 + 12 * name.chars().count() as i32;
    }
    for (panel, area) in panels.iter().zip(body.split_evenly((rows, columns))) {
        panel.draw(&area)?;
    }
    area.present()?;
    Ok(())
}

/// From a little below the least to a little above the most.
fn around(values: impl Iterator<Item = f64>, air: f64) -> std::ops::Range<f64> {
    let known = values.filter(|v| v.is_finite() && *v > 0.0);
    let (low, high) = known.fold((f64::INFINITY, 0.0f64), |(low, high), v| (low.min(v), high.max(v)));
    if low > high { 0.1..10.0 } else { low / air..high * air }
}

impl Panel {
    fn draw(&self, area: &Area<'_>) -> Result<(), Box<dyn Error>> {
        let points = || self.curves.iter().flat_map(|curve| curve.points.iter().copied());
        let (xs, mut ys) = (around(points().map(|p| p.0), 1.25), around(points().map(|p| p.1), 1.6));
        if ys.end / ys.start < 12.0 {
            // Something nearly flat looks flat, and there is a power of ten to read.
            let middle = (ys.end * ys.start).sqrt();
            ys = middle / 3.5..middle * 3.5;
        }
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_right(28)
            .caption(&self.title, ("sans-serif", 27).into_font().color(&INK))
            .x_label_area_size(64)
            .y_label_area_size(112)
            .build_cartesian_2d(xs.log_scale(), ys.log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(2))
            .axis_style(INK.stroke_width(2))
            .label_style(("sans-serif", 21).into_font().color(&INK))
            .axis_desc_style(("sans-serif", 23).into_font().color(&INK))
            .x_desc(self.x)
            .y_desc(self.y.as_str())
            .x_labels(6)
            .y_labels(6)
            .x_label_formatter(&|&x| rounded(x))
            .y_label_formatter(&|&y| rounded(y))
            .draw()?;
        for curve in &self.curves {
            let color = color(curve.color);
            let points = curve.points.iter().copied();
            if curve.dashed {
                chart.draw_series(DashedLineSeries::new(points, 9, 8, color.mix(0.7).stroke_width(2)))?;
            } else {
                chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(4)))?;
                chart.draw_series(points.map(|point| Circle::new(point, 6, color.filled())))?;
            }
        }
        Ok(())
    }
}

/// A power of ten, short.
fn rounded(value: f64) -> String {
    match value {
        v if v >= 1e9 => format!("{} G", whole(v / 1e9)),
        v if v >= 1e6 => format!("{} M", whole(v / 1e6)),
        v if v >= 1e4 => format!("{} k", whole(v / 1e3)),
        v => whole(v),
    }
}

fn whole(value: f64) -> String {
    if (value - value.round()).abs() < 1e-9 * value {
        format!("{value:.0}")
    } else {
        amount(value).trim_end_matches('0').to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panel_a_curve_and_a_point_can_be_drawn() {
        let curve = |points: &[(f64, f64)]| Curve { color: 0, points: points.to_vec(), dashed: false };
        for points in [&[(64.0, 1.0), (1024.0, 100.0)][..], &[(1.0, 1.0)], &[], &[(1.0, 0.0)]] {
            let panel = || Panel { title: "a <b>".into(), x: "rows", y: "GB/s".into(), curves: vec![curve(points)] };
            let svg = draw("rates", &["cpu".into()], &[panel(), panel()]).unwrap();
            assert!(svg.starts_with("<svg") && svg.matches("a &lt;b&gt;").count() == 2, "{points:?}");
        }
        assert!(draw("nothing", &[], &[]).is_ok());
    }

    #[test]
    fn labels_are_short() {
        assert_eq!([0.1, 1.0, 1000.0, 20_000.0, 3e6, 1e9].map(rounded), ["0.1", "1", "1000", "20 k", "3 M", "1 G"]);
    }
}
