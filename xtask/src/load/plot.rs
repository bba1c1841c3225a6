//! Pictures of curves, as SVG.

use std::path::Path;

use anyhow::anyhow;
use plotters::prelude::*;

use super::section::Plot;

/// Draws `plot` into `folder`: what stands across in powers, what stands up from nothing.
///
/// # Errors
/// The file can't be written; there is nothing to draw.
pub(crate) fn draw(plot: &Plot, folder: &Path) -> anyhow::Result<()> {
    let file = folder.join(format!("{}.svg", plot.name));
    let points = || plot.lines.iter().flat_map(|line| &line.points);
    let from = points().map(|point| point.0).fold(f64::INFINITY, f64::min);
    let to = points().map(|point| point.0).fold(0.0, f64::max);
    let top = points().map(|point| point.1).fold(0.0, f64::max) * HEADROOM;
    // What doubles from point to point has its marks there.
    let base = if to <= MOST_DOUBLED { 2.0 } else { 10.0 };
    let told = |error: &dyn std::fmt::Display| anyhow!("{}: {error}", file.display());
    anyhow::ensure!(from < to && top > 0.0, "{}: nothing to draw", plot.name);
    let area = SVGBackend::new(&file, SIZE).into_drawing_area();
    area.fill(&WHITE).map_err(|error| told(&error))?;
    let mut chart = ChartBuilder::on(&area)
        .caption(&plot.title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d((from..to).log_scale().base(base), 0.0..top)
        .map_err(|error| told(&error))?;
    chart
        .configure_mesh()
        .max_light_lines(0)
        .x_desc(&plot.x)
        .y_desc(&plot.y)
        .x_label_formatter(&|x| super::document::figure(x.round()))
        .y_label_formatter(&|y| super::document::figure(y.round()))
        .draw()
        .map_err(|error| told(&error))?;
    for (line, colour) in plot.lines.iter().zip(COLOURS.iter().cycle()) {
        let style = colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(line.points.iter().copied(), style).point_size(3))
            .map_err(|error| told(&error))?
            .label(&line.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 16, y)], style));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .border_style(BLACK)
        .draw()
        .map_err(|error| told(&error))?;
    area.present().map_err(|error| told(&error))
}

/// Above the highest point there is room for the names.
const HEADROOM: f64 = 1.5;
/// To be told apart by everybody (Okabe and Ito).
const COLOURS: [RGBColor; 4] =
    [RGBColor(0, 114, 178), RGBColor(213, 94, 0), RGBColor(0, 158, 115), RGBColor(204, 121, 167)];
const MOST_DOUBLED: f64 = 1024.0;
const SIZE: (u32, u32) = (720, 400);

#[test]
fn a_curve_becomes_a_picture() {
    use super::section::Line;
    let folder = tempfile::TempDir::new().unwrap();
    let mut plot = Plot {
        name: "curve".to_owned(),
        title: "A curve".to_owned(),
        x: "size".to_owned(),
        y: "calls/s".to_owned(),
        lines: vec![Line { name: "one".to_owned(), points: vec![(1.0, 5.0), (256.0, 9.0)] }],
        bounded_by: String::new(),
    };
    draw(&plot, folder.path()).unwrap();
    let svg = std::fs::read_to_string(folder.path().join("curve.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("A curve") && svg.contains("polyline"));
    plot.lines.clear();
    assert!(draw(&plot, folder.path()).is_err());
}
