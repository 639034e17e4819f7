//! What was measured, in rows, sentences, JSON and Markdown.

use super::cases::{Case, Unit, short};
use super::measure::Stages;
use crate::device::{Device, Limits};
use serde::Serialize;
use std::fmt::Write;

/// Everything that one run measured.
#[derive(Serialize)]
pub(super) struct Report {
    pub version: &'static str,
    pub devices: Vec<Described>,
    pub results: Vec<Measured>,
}

#[derive(Serialize)]
pub(super) struct Described {
    pub kind: String,
    pub name: String,
    /// A CPU that plays a GPU: its figures are none of a GPU.
    pub software: bool,
    /// With processor or driver.
    pub full_name: String,
    /// The most that this device did: copied, GB/s.
    pub copy_gb_per_second: f64,
    /// Multiply-adds on registers, GFLOP/s.
    pub arithmetic_gflops: f64,
}

#[derive(Serialize)]
pub(super) struct Measured {
    pub case: String,
    pub family: &'static str,
    pub size: usize,
    pub axis: &'static str,
    /// The place in `devices`.
    pub device: usize,
    pub seconds: Stages,
    pub figure: Figure,
    /// The part of the device's limit that this is; above 1 within caches.
    pub share: f64,
    /// Whether `Device::auto_for` takes this device for the case.
    pub auto: bool,
}

#[derive(Serialize)]
pub(super) struct Figure {
    pub value: f64,
    pub unit: &'static str,
}

impl Described {
    pub fn new(device: &Device, limits: &Limits) -> Described {
        Described {
            kind: device.kind().to_string(),
            name: device.name().to_string(),
            software: device.is_software(),
            full_name: device.key(),
            copy_gb_per_second: limits.bandwidth / 1e9,
            arithmetic_gflops: limits.arithmetic / 1e9,
        }
    }

    /// The name with what must not be overlooked.
    pub fn label(&self) -> String {
        format!("{}{}", self.name, if self.software { ", software" } else { "" })
    }

    pub fn line(&self) -> String {
        format!(
            "{}{}: copies {} GB/s, multiplies and adds {} GFLOP/s",
            self.full_name,
            if self.software { " (software: a CPU that plays a GPU)" } else { "" },
            amount(self.copy_gb_per_second),
            amount(self.arithmetic_gflops)
        )
    }
}

impl Measured {
    pub fn new(case: &Case, device: usize, described: &Described, seconds: Stages, auto: bool) -> Measured {
        let (scale, unit) = match case.unit {
            Unit::Flops => (1e9, "GFLOP/s"),
            Unit::Bytes => (1e9, "GB/s"),
            Unit::Samples => (1.0, "samples/s"),
        };
        let median = seconds.steady.median;
        let share = match case.unit {
            Unit::Bytes => case.work.bytes / 1e9 / described.copy_gb_per_second,
            Unit::Flops | Unit::Samples => case.work.flops / 1e9 / described.arithmetic_gflops,
        };
        Measured {
            case: case.name.clone(),
            family: case.family,
            size: case.size,
            axis: case.axis,
            device,
            figure: Figure { value: case.amount() / scale / median, unit },
            share: share / median,
            seconds,
            auto,
        }
    }

    /// Data to the device, one run, the result back.
    fn with_transfer(&self) -> f64 {
        self.seconds.upload + self.seconds.steady.median + self.seconds.read_back
    }

    pub fn cells(&self) -> [String; 9] {
        let Stages { upload, first, steady, read_back } = &self.seconds;
        [
            self.case.clone(),
            self.device.to_string(),
            time(*upload),
            time(*first),
            time(steady.median),
            format!("{:.0} %", 100.0 * steady.spread()),
            time(*read_back),
            format!("{} {}", amount(self.figure.value), self.figure.unit),
            format!("{:.0} %", 100.0 * self.share),
        ]
    }
}

/// Above [`Measured::cells`].
pub(super) const HEADER: [&str; 9] =
    ["case", "device", "upload", "first call", "steady", "±", "read back", "rate", "of limit"];

impl Report {
    /// Of one case on one device.
    fn of(&self, case: &str, device: usize) -> Option<&Measured> {
        self.results.iter().find(|result| result.case == case && result.device == device)
    }

    fn families(&self) -> Vec<&'static str> {
        let mut families: Vec<&'static str> = Vec::new();
        for result in &self.results {
            if !families.contains(&result.family) {
                families.push(result.family);
            }
        }
        families
    }

    /// From which size on a device is faster than the CPU, a family a line; nothing without both.
    pub fn crossovers(&self) -> Vec<String> {
        let Some(cpu) = self.devices.iter().position(|device| device.kind == "cpu") else { return Vec::new() };
        let mut lines = Vec::new();
        for (index, device) in self.devices.iter().enumerate().filter(|&(index, _)| index != cpu) {
            let mut wins_somewhere = false;
            let before = lines.len();
            for family in self.families() {
                let pairs: Vec<(&Measured, &Measured)> = self
                    .results
                    .iter()
                    .filter(|result| result.family == family && result.device == cpu)
                    .filter_map(|here| Some((here, self.of(&here.case, index)?)))
                    .collect();
                let Some((last, _)) = pairs.last() else { continue };
                let mut wins = |time: fn(&Measured) -> f64| match first_win(&pairs, time) {
                    Some(size) => {
                        wins_somewhere = true;
                        format!("from {} {}", short(size), last.axis)
                    }
                    None => format!("at no size up to {} {}", short(last.size), last.axis),
                };
                let (there, way) = (wins(|m| m.seconds.steady.median), wins(Measured::with_transfer));
                lines.push(format!(
                    "{family}: {} is faster than the CPU {there}; with the way there and back {way}",
                    device.label()
                ));
            }
            if !wins_somewhere && lines.len() > before {
                lines.truncate(before);
                let name = device.label();
                lines.push(format!("{name} is slower than the CPU at the largest size of every workload measured"));
            }
        }
        lines
    }

    /// What the choice by [`Device::auto_for`] costs against the better device, at worst.
    pub fn choice(&self) -> Option<String> {
        let chosen = self.results.iter().filter(|result| result.auto);
        let cost = chosen.map(|result| {
            let times = self.results.iter().filter(|other| other.case == result.case);
            let best = times.map(|other| other.seconds.steady.median).fold(f64::INFINITY, f64::min);
            (result.seconds.steady.median / best, &result.case)
        });
        let (worst, case) = cost.max_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(format!("the automatic choice costs at most {worst:.2} times the better device ({case})"))
    }

    /// One sentence that can be quoted.
    pub fn summary(&self) -> String {
        let mut text = format!("Tilework {}", self.version);
        let largest = |family: &str, device: usize| {
            self.results.iter().filter(|r| r.family == family && r.device == device).max_by_key(|r| r.size)
        };
        for (index, device) in self.devices.iter().enumerate() {
            let _ = write!(text, "{} {}:", if index == 0 { " on" } else { "; on" }, device.label());
            let figures: Vec<String> = ["matmul", "relu(2x+y)", "train 784-512-256-10"]
                .iter()
                .filter_map(|family| largest(family, index))
                .map(|r| {
                    let cpu = self.devices.iter().position(|device| device.kind == "cpu").filter(|&cpu| cpu != index);
                    let faster = cpu.and_then(|cpu| self.of(&r.case, cpu)).map_or_else(String::new, |here| {
                        format!(", {} × the CPU", amount(here.seconds.steady.median / r.seconds.steady.median))
                    });
                    let share = if r.figure.unit == "samples/s" || r.share > 1.005 {
                        String::new()
                    } else {
                        format!(", {:.0} % of the limit", 100.0 * r.share)
                    };
                    format!(" {} at {} {}{share}{faster}", r.case, amount(r.figure.value), r.figure.unit)
                })
                .collect();
            text.push_str(&figures.join(","));
        }
        text
    }

    pub fn markdown(&self) -> String {
        let mut text = format!("{}.\n\n", self.summary());
        for (index, device) in self.devices.iter().enumerate() {
            let _ = writeln!(text, "- device {index}: {}", device.line());
        }
        let _ = writeln!(text, "\n| {} |\n|---|{}", HEADER.join(" | "), "---:|".repeat(HEADER.len() - 1));
        for result in &self.results {
            let _ = writeln!(text, "| {} |", result.cells().join(" | "));
        }
        for line in self.crossovers().into_iter().chain(self.choice()) {
            let _ = write!(text, "\n- {line}");
        }
        text.push('\n');
        text
    }
}

/// The smallest size from which on the second of each pair takes less.
fn first_win(pairs: &[(&Measured, &Measured)], time: fn(&Measured) -> f64) -> Option<usize> {
    let wins = pairs.iter().rev().take_while(|(here, there)| time(there) < time(here));
    wins.last().map(|(here, _)| here.size)
}

/// Three digits and the unit that fits.
pub(super) fn time(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s "),
    };
    format!("{} {unit}", amount(value))
}

/// Three digits, or all of a larger whole part, in groups.
pub(super) fn amount(value: f64) -> String {
    match value {
        v if v < 0.1 => format!("{v:.3}"),
        v if v < 10.0 => format!("{v:.2}"),
        v if v < 100.0 => format!("{v:.1}"),
        v => super::super::count(v.round() as usize, "").trim_end_matches([' ', 's']).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::cases::cases;
    use super::super::measure::{Effort, Timing};
    use super::*;

    /// A CPU of 10 GB/s, and a card that takes 1 ms and then a tenth of the time.
    fn report() -> Report {
        let device = |kind: &str, name: &str| Described {
            kind: kind.into(),
            name: name.into(),
            software: false,
            full_name: name.into(),
            copy_gb_per_second: 10.0,
            arithmetic_gflops: 100.0,
        };
        let devices = vec![device("cpu", "cpu (2 threads)"), device("gpu", "card")];
        let mut results = Vec::new();
        for case in cases(Effort::Quick).iter().filter(|case| ["exp", "matmul"].contains(&case.family)) {
            let cpu = case.work.bytes / 1e10 + case.work.flops / 1e11;
            for (index, median) in [(0, cpu), (1, 1e-3 + cpu / 10.0)] {
                let steady = Timing { median, lower_quartile: median, upper_quartile: median, samples: 7 };
                let stages = Stages { upload: index as f64, first: 0.1, steady, read_back: 0.0 };
                results.push(Measured::new(case, index, &devices[index], stages, index == 0));
            }
        }
        Report { version: "0", devices, results }
    }

    #[test]
    fn times_and_amounts_have_three_digits() {
        assert_eq!([1.234e-5, 0.01234, 1.5, 123.0].map(time), ["12.3 µs", "12.3 ms", "1.50 s ", "123 s "]);
        assert_eq!([0.0123, 0.123, 45678.9].map(amount), ["0.012", "0.12", "45,679"]);
    }

    #[test]
    fn the_crossover_is_the_size_from_which_all_larger_ones_win() {
        // exp: 8 bytes an element at 10 GB/s is 1.1 ms from 1.4 M on; matmul: 2n³ at 100 GFLOP/s from n = 382.
        let never = "with the way there and back at no size up to";
        assert_eq!(
            report().crossovers(),
            [
                format!("matmul: card is faster than the CPU from 512 rows; {never} 1K rows"),
                format!("exp: card is faster than the CPU from 4M elements; {never} 4M elements"),
            ]
        );
    }

    #[test]
    fn the_choice_is_held_against_the_better_device() {
        // The CPU at 1024³: 21.5 ms against 3.1 ms.
        assert_eq!(
            report().choice().unwrap(),
            "the automatic choice costs at most 6.82 times the better device (matmul 1024³)"
        );
    }

    #[test]
    fn the_summary_and_the_markdown_have_the_figures() {
        let report = report();
        assert_eq!(
            report.summary(),
            "Tilework 0 on cpu (2 threads): matmul 1024³ at 100 GFLOP/s, 100 % of the limit; on card: matmul 1024³ at \
             682 GFLOP/s, 6.82 × the CPU"
        );
        let text = report.markdown();
        assert!(
            text.contains("| exp 4M | 0 | 0.000 µs | 100 ms | 3.36 ms | 0 % | 0.000 µs | 10.0 GB/s | 100 % |"),
            "{text}"
        );
    }
}
