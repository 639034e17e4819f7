//! Charts of scores, as plain data that is drawn as SVG or PNG.

mod draw;
mod legend;
mod of_scores;

pub(super) use of_scores::{calibration, confusion, curves, residuals};

use super::failure::{Failure, Outcome};
use plotters::prelude::*;
use std::ops::Range;

/// Pixels of a chart. Lines go to whole pixels, so it is larger than it will be shown.
pub(super) const SIZE: (u32, u32) = (960, 800);
pub(super) const INK: RGBColor = RGBColor(60, 60, 60);
pub(super) const GRID: RGBColor = RGBColor(225, 225, 225);
/// The colours of Okabe and Ito, which colour-blind readers tell apart (<https://jfly.uni-koeln.de/color/>), without yellow.
pub(super) const COLORS: [RGBColor; 7] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(86, 180, 233),
    RGBColor(230, 159, 0),
    RGBColor(0, 0, 0),
];

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Chart {
    pub title: String,
    /// What goes right, and what goes up.
    pub axes: (&'static str, &'static str),
    pub body: Body,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Body {
    /// Curves in the unit square.
    Curves {
        curves: Vec<Curve>,
        /// The grey line of what means nothing, or of perfection.
        reference: Option<[(f64, f64); 2]>,
        dots: Dots,
    },
    Points {
        points: Vec<(f64, f64)>,
        ranges: (Range<f64>, Range<f64>),
        reference: [(f64, f64); 2],
    },
    /// Counts, the truth down and the prediction across.
    Cells {
        names: Vec<String>,
        counts: Vec<u64>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Curve {
    /// For the legend; none of those without.
    pub name: Option<String>,
    pub points: Vec<(f64, f64)>,
    pub role: Role,
}

/// How a curve stands among others.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Role {
    /// In a colour of its own.
    Plain,
    /// The mean of all.
    Mean,
    /// One of many, in the background.
    Faint,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Dots {
    Shown,
    Hidden,
}

/// Registers the font that charts are lettered in; the machine may have none.
pub(super) fn ready() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    const FONT: &[u8] = include_bytes!("font/sans.ttf");
    ONCE.call_once(|| {
        if plotters::style::register_font("sans-serif", FontStyle::Normal, FONT).is_err() {
            log::warn!("charts: the embedded font cannot be read");
        }
    });
}

impl Chart {
    /// The drawing as a text that stands alone or within a page.
    pub fn svg(&self) -> Outcome<String> {
        let mut svg = String::new();
        self.draw(SVGBackend::with_string(&mut svg, SIZE).into_drawing_area())?;
        // A size to be shown at is the page's business.
        Ok(svg.replacen(&format!("width=\"{}\" height=\"{}\" ", SIZE.0, SIZE.1), "", 1))
    }

    /// The drawing as the bytes of a PNG file.
    pub fn png(&self) -> Outcome<Vec<u8>> {
        let mut pixels = vec![0; SIZE.0 as usize * SIZE.1 as usize * 3];
        self.draw(BitMapBackend::with_buffer(&mut pixels, SIZE).into_drawing_area())?;
        let failed = |error: png::EncodingError| Failure::failed(format!("chart: {}: {error}", self.title));
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, SIZE.0, SIZE.1);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().map_err(failed)?;
        writer.write_image_data(&pixels).map_err(failed)?;
        writer.finish().map_err(failed)?;
        Ok(bytes)
    }

    fn draw<B: DrawingBackend<ErrorType: 'static>>(&self, area: DrawingArea<B, plotters::coord::Shift>) -> Outcome {
        ready();
        draw::chart(self, &area).map_err(|error| Failure::failed(format!("chart: {}: {error}", self.title)))
    }
}
