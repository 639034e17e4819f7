//! Charts drawn with plotters, on whatever it draws on.

use super::legend::{apart, place};
use super::{Body, COLORS, Chart, Curve, Dots, GRID, INK, Role};
use plotters::coord::Shift;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::error::Error;

type Area<B> = DrawingArea<B, Shift>;
type Drawn<T = ()> = Result<T, Box<dyn Error>>;

const FONT: &str = "sans-serif";
/// Classes whose counts are written into their cells.
const WRITTEN: usize = 20;
/// Characters of a class beside its row or column.
const LONGEST: usize = 12;

pub(super) fn chart<B: DrawingBackend>(chart: &Chart, area: &Area<B>) -> Drawn
where
    B::ErrorType: 'static,
{
    area.fill(&WHITE)?;
    let title = TextStyle::from((FONT, 34).into_font()).color(&INK);
    let area = area.margin(16, 0, 0, 0).titled(&chart.title, title)?;
    match &chart.body {
        Body::Curves { curves, reference, dots } => self::curves(chart, &area, curves, *reference, *dots),
        Body::Points { points, ranges, reference } => {
            let mut canvas = canvas(chart, &area, ranges.0.clone(), ranges.1.clone())?;
            canvas.draw_series(LineSeries::new(*reference, INK.mix(0.5).stroke_width(3)))?;
            let color = COLORS[0].mix(if points.len() > 300 { 0.35 } else { 0.6 });
            canvas.draw_series(points.iter().map(|&point| Circle::new(point, 6, color.filled())))?;
            Ok(())
        }
        Body::Cells { names, counts } => cells(chart, &area, names, counts),
    }
}

type Canvas<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// Axes and grid.
fn canvas<'a, B: DrawingBackend>(
    chart: &Chart,
    area: &'a Area<B>,
    across: std::ops::Range<f64>,
    up: std::ops::Range<f64>,
) -> Drawn<Canvas<'a, B>>
where
    B::ErrorType: 'static,
{
    let mut canvas = ChartBuilder::on(area)
        .margin(20)
        .margin_right(40)
        .x_label_area_size(84)
        .y_label_area_size(124)
        .build_cartesian_2d(across, up)?;
    canvas
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID.stroke_width(2))
        .axis_style(INK.stroke_width(2))
        .label_style((FONT, 26).into_font().color(&INK))
        .axis_desc_style((FONT, 30).into_font().color(&INK))
        .x_desc(chart.axes.0)
        .y_desc(chart.axes.1)
        .x_labels(6)
        .y_labels(6)
        .x_label_formatter(&|v| number(*v))
        .y_label_formatter(&|v| number(*v))
        .draw()?;
    Ok(canvas)
}

/// Three digits and no more zeros than needed.
fn number(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e5).contains(&size) {
        return format!("{value:.1e}");
    }
    let decimals = if size >= 100.0 || size == 0.0 { 0 } else { (2 - size.log10().floor() as i32).max(0) as usize };
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

fn curves<B: DrawingBackend>(
    chart: &Chart,
    area: &Area<B>,
    curves: &[Curve],
    reference: Option<[(f64, f64); 2]>,
    dots: Dots,
) -> Drawn
where
    B::ErrorType: 'static,
{
    let mut canvas = canvas(chart, area, -0.01..1.01, -0.01..1.01)?; // a curve at 1 is not cut in half
    if let Some(line) = reference {
        canvas.draw_series(DashedLineSeries::new(line, 10, 10, INK.mix(0.5).stroke_width(3)))?;
    }
    let of_role = |role: Role| curves.iter().filter(move |curve| curve.role == role);
    let faint = of_role(Role::Faint).map(|curve| (curve, GRID.stroke_width(2)));
    let plain = of_role(Role::Plain).zip(COLORS.iter().cycle()).map(|(curve, color)| (curve, color.stroke_width(4)));
    let mean = of_role(Role::Mean).map(|curve| (curve, BLACK.stroke_width(6)));
    for (curve, line) in faint.chain(plain).chain(mean) {
        let drawn =
            canvas.draw_series(strokes(&curve.points).into_iter().map(|stroke| PathElement::new(stroke, line)))?;
        if let Some(name) = &curve.name {
            drawn.label(name.as_str()).legend(move |(x, y)| PathElement::new([(x, y), (x + 40, y)], line));
        }
        if dots == Dots::Shown && curve.role == Role::Plain {
            canvas.draw_series(curve.points.iter().map(|&point| Circle::new(point, 7, line.color.filled())))?;
        }
    }
    if curves.iter().any(|curve| curve.name.is_some()) {
        let size = canvas.plotting_area().dim_in_pixel();
        canvas
            .configure_series_labels()
            .position(place(curves, size))
            .margin(24)
            .legend_area_size(56)
            .label_font((FONT, 26).into_font().color(&INK))
            .background_style(WHITE.mix(0.85))
            .border_style(GRID)
            .draw()?;
    }
    Ok(())
}

/// A line without its turns straight back, such as a step down and up again, which plotters would draw as thorns.
fn strokes(points: &[(f64, f64)]) -> Vec<Vec<(f64, f64)>> {
    let mut strokes: Vec<Vec<(f64, f64)>> = Vec::new();
    for &(x, y) in points {
        match strokes.last_mut() {
            None => strokes.push(vec![(x, y)]),
            Some(stroke) => match stroke[..] {
                [.., last] if last == (x, y) => {}
                [.., (x0, y0), (x1, y1)] if x0 == x1 && x1 == x && (y1 - y0) * (y - y1) < 0.0 => {
                    strokes.push(vec![(x1, y1), (x, y)]);
                }
                _ => stroke.push((x, y)),
            },
        }
    }
    strokes
}

fn cells<B: DrawingBackend>(chart: &Chart, area: &Area<B>, names: &[String], counts: &[u64]) -> Drawn
where
    B::ErrorType: 'static,
{
    let classes = names.len().max(1);
    let size = (26.0 - 0.6 * classes as f64).clamp(12.0, 26.0);
    let n = classes as f64;
    let mut canvas = ChartBuilder::on(area)
        .margin(20)
        .margin_right(40)
        .x_label_area_size(96)
        .y_label_area_size(190)
        .build_cartesian_2d(0.0..n, 0.0..n)?;
    let style = |h, v| TextStyle::from((FONT, size).into_font()).color(&INK).pos(Pos::new(h, v));
    let mut row_sums: Vec<u64> = counts.chunks(classes).map(|row| row.iter().sum()).collect();
    row_sums.iter_mut().for_each(|sum| *sum = (*sum).max(1));
    let share = |i: usize, count: u64| count as f64 / row_sums.get(i / classes).copied().unwrap_or(1) as f64;
    let corner = |i: usize| ((i % classes) as f64, n - 1.0 - (i / classes) as f64);
    canvas.draw_series(counts.iter().enumerate().map(|(i, &count)| {
        let (x, y) = corner(i);
        let right = i / classes == i % classes;
        let color = if right { COLORS[0] } else { COLORS[1] };
        let strength = if count == 0 { 0.0 } else { 0.08 + 0.92 * share(i, count) };
        Rectangle::new([(x, y), (x + 1.0, y + 1.0)], color.mix(strength).filled())
    }))?;
    canvas.draw_series((0..=classes).flat_map(|i| {
        let at = i as f64;
        [vec![(at, 0.0), (at, n)], vec![(0.0, at), (n, at)]].map(|line| PathElement::new(line, GRID.stroke_width(2)))
    }))?;
    if classes <= WRITTEN {
        canvas.draw_series(counts.iter().enumerate().filter(|(_, count)| **count > 0).map(|(i, &count)| {
            let (x, y) = corner(i);
            let ink = if share(i, count) > 0.5 { &WHITE } else { &INK };
            let style = TextStyle::from((FONT, size).into_font()).color(ink);
            Text::new(count.to_string(), (x + 0.5, y + 0.5), style.pos(Pos::new(HPos::Center, VPos::Center)))
        }))?;
    }
    // Names stand at the middle of their cells, which no axis of plotters does.
    let (left, top) = canvas.plotting_area().get_base_pixel();
    let (width, height) = canvas.plotting_area().dim_in_pixel();
    let (base_x, base_y) = area.get_base_pixel();
    let every = classes.div_ceil(WRITTEN);
    let all = || names.iter().map(String::as_str);
    let letters = every as f64 * f64::from(width) / n / (0.6 * size); // that fit below a cell
    let of_rows = apart(all(), LONGEST);
    let of_columns = apart(all(), (letters as usize).clamp(4, LONGEST));
    for (i, (of_row, of_column)) in of_rows.iter().zip(&of_columns).enumerate().step_by(every) {
        let middle = |length: u32| (length as f64 * (i as f64 + 0.5) / n) as i32;
        let down = (left - base_x - 12, top - base_y + middle(height));
        area.draw_text(of_row, &style(HPos::Right, VPos::Center), down)?;
        let across = (left - base_x + middle(width), top - base_y + height as i32 + 12);
        area.draw_text(of_column, &style(HPos::Center, VPos::Top), across)?;
    }
    let axis = TextStyle::from((FONT, 30).into_font()).color(&INK);
    let (middle_x, middle_y) = (left - base_x + width as i32 / 2, top - base_y + height as i32 / 2);
    let below = top - base_y + height as i32 + 56;
    area.draw_text(chart.axes.0, &axis.pos(Pos::new(HPos::Center, VPos::Top)), (middle_x, below))?;
    let turned = TextStyle::from((FONT, 30).into_font().transform(FontTransform::Rotate270)).color(&INK);
    area.draw_text(chart.axes.1, &turned.pos(Pos::new(HPos::Center, VPos::Top)), (12, middle_y))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::strokes;

    #[test]
    fn a_line_that_turns_straight_back_is_drawn_in_two_strokes() {
        let line = [(1.0, 0.5), (1.0, 0.5), (0.5, 0.5), (0.5, 0.2), (0.5, 0.9), (0.0, 0.9)];
        let expected = [vec![(1.0, 0.5), (0.5, 0.5), (0.5, 0.2)], vec![(0.5, 0.2), (0.5, 0.9), (0.0, 0.9)]];
        assert_eq!(strokes(&line), expected);
        assert!(strokes(&[]).is_empty());
    }
}
