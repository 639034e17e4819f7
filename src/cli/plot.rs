//! Curves of a training run as an SVG: loss, and accuracy for classes, over the epochs.

use super::chart::{self, GRID, INK};
use super::failure::{Failure, Outcome};
use crate::train::{EpochRecord, History};
use plotters::coord::Shift;
use plotters::prelude::*;
use std::error::Error;
use std::ops::Range;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// Pixels of a panel. Curves go to whole pixels, so the drawing is larger than it will be shown.
const PANEL: (u32, u32) = (900, 620);
/// Blue and vermilion of Okabe and Ito, which colour-blind readers tell apart (<https://jfly.uni-koeln.de/color/>).
const TRAINING: RGBColor = RGBColor(0, 114, 178);
const VALIDATION: RGBColor = RGBColor(213, 94, 0);
/// Up to this many epochs each has a dot.
const DOTS: usize = 30;

/// Name, colour, and epochs with their values.
type Curve = (&'static str, RGBColor, Vec<(f64, f64)>);

/// One panel: what is on its upright axis, and the curves.
struct Panel {
    what: &'static str,
    range: Range<f64>,
    curves: Vec<Curve>,
}

/// The SVG of a history; `title` says of what.
pub(super) fn draw(history: &History, title: &str) -> Outcome<String> {
    let mut svg = String::new();
    chart::ready();
    drawn(&mut svg, &panels(history), title).map_err(|error| Failure::failed(format!("plot: {error}")))?;
    Ok(svg)
}

fn panels(history: &History) -> Vec<Panel> {
    let curve = |value: fn(&EpochRecord) -> Option<f64>| -> Vec<(f64, f64)> {
        let known = history.epochs.iter().filter_map(|record| Some((record.epoch as f64, value(record)?)));
        known.filter(|(_, y)| y.is_finite()).collect()
    };
    let panel = |what, training, validation| Panel {
        what,
        range: 0.0..1.0,
        curves: [("training", TRAINING, training), ("validation", VALIDATION, validation)]
            .into_iter()
            .filter(|(.., points): &Curve| !points.is_empty())
            .collect(),
    };
    let mut loss = panel("loss", curve(|r| Some(r.loss)), curve(|r| r.validation_loss));
    loss.range = 0.0..loss.extremes().1.max(1e-12) * 1.05;
    let mut accuracy = panel("accuracy", curve(|r| r.accuracy), curve(|r| r.validation_accuracy));
    let lowest = accuracy.extremes().0;
    accuracy.range = (lowest * 10.0).floor().clamp(0.0, 9.0) / 10.0..1.005; // a curve at 1 is not cut in half
    [loss, accuracy].into_iter().filter(|panel| !panel.curves.is_empty()).collect()
}

impl Panel {
    /// Lowest and highest value.
    fn extremes(&self) -> (f64, f64) {
        let values = self.curves.iter().flat_map(|(.., points)| points).map(|(_, y)| *y);
        values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), y| (low.min(y), high.max(y)))
    }

    fn draw(&self, area: &Area<'_>) -> Result<(), Box<dyn Error>> {
        let epochs = self.curves.iter().filter_map(|(.., points)| Some(points.last()?.0)).fold(2.0, f64::max);
        let mut chart = ChartBuilder::on(area)
            .margin(20)
            .margin_right(40)
            .x_label_area_size(80)
            .y_label_area_size(130)
            .build_cartesian_2d(1.0..epochs, self.range.clone())?;
        let decimals = if self.range.end < 0.1 { 4 } else { 2 };
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(TRANSPARENT)
            .bold_line_style(GRID.stroke_width(2))
            .axis_style(INK.stroke_width(2))
            .label_style(("sans-serif", 28).into_font().color(&INK))
            .axis_desc_style(("sans-serif", 32).into_font().color(&INK))
            .x_desc("epoch")
            .y_desc(self.what)
            .x_labels(10)
            .y_labels(8)
            .x_label_formatter(&|x| if x.fract() == 0.0 { format!("{x:.0}") } else { String::new() })
            .y_label_formatter(&|y| format!("{y:.decimals$}"))
            .draw()?;
        for (name, color, points) in &self.curves {
            let line = color.stroke_width(4);
            chart
                .draw_series(LineSeries::new(points.iter().copied(), line))?
                .label(*name)
                .legend(move |(x, y)| PathElement::new([(x, y), (x + 40, y)], line));
            if points.len() <= DOTS {
                chart.draw_series(points.iter().map(|&point| Circle::new(point, 7, color.filled())))?;
            }
        }
        let corner =
            if self.what == "loss" { SeriesLabelPosition::UpperRight } else { SeriesLabelPosition::LowerRight };
        chart
            .configure_series_labels()
            .position(corner)
            .margin(24)
            .legend_area_size(56)
            .label_font(("sans-serif", 30).into_font().color(&INK))
            .background_style(WHITE)
            .border_style(GRID)
            .draw()?;
        Ok(())
    }
}

fn drawn(svg: &mut String, panels: &[Panel], title: &str) -> Result<(), Box<dyn Error>> {
    let size = (PANEL.0 * panels.len().max(1) as u32, PANEL.1 + 70);
    let area = SVGBackend::with_string(svg, size).into_drawing_area();
    area.fill(&WHITE)?;
    let area = area.margin(20, 0, 0, 0).titled(title, ("sans-serif", 38).into_font().color(&INK))?;
    for (panel, part) in panels.iter().zip(area.split_evenly((1, panels.len().max(1)))) {
        panel.draw(&part)?;
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(losses: &[f64], accuracy: Option<f64>) -> History {
        let record = |(epoch, &loss): (usize, &f64)| EpochRecord {
            epoch: epoch + 1,
            loss,
            accuracy,
            validation_loss: accuracy.map(|_| loss * 1.5),
            validation_accuracy: accuracy,
            seconds: 0.0,
            samples_per_second: 0.0,
            learning_rate: 0.001,
        };
        History { epochs: losses.iter().enumerate().map(record).collect(), stopped: None }
    }

    #[test]
    fn classes_have_two_panels_and_numbers_one() {
        let words = |svg: &str, word: &str| svg.lines().filter(|line| line.trim() == word).count();
        let svg = draw(&history(&[2.0, 1.0, 0.5], Some(0.9)), "a <b> & c").unwrap();
        assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>") && svg.contains("a &lt;b&gt; &amp; c"));
        assert_eq!(["loss", "accuracy", "epoch", "training", "validation"].map(|w| words(&svg, w)), [1, 1, 2, 2, 2]);
        let svg = draw(&history(&[2.0, 1.0], None), "numbers").unwrap();
        assert_eq!(["loss", "accuracy", "epoch", "training", "validation"].map(|w| words(&svg, w)), [1, 0, 1, 1, 0]);
    }

    #[test]
    fn one_epoch_and_a_loss_of_zero_can_be_drawn() {
        for losses in [&[0.0][..], &[1e-9], &[1e30, 1.0]] {
            assert!(draw(&history(losses, Some(0.0)), "odd").is_ok(), "{losses:?}");
        }
    }
}
