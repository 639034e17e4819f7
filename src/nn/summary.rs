//! What a network consists of, as a table.

use crate::error::Result;
use crate::nn::module::{Item, Mode, Module, walk};
use crate::shape::Shape;
use crate::tensor::Tensor;
use crate::tensor::record::no_grad;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The layers of a network with the shapes of their outputs and the numbers that they learn; see [`Module::summary`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Summary {
    /// The network's kind.
    pub kind: &'static str,
    /// The shape of the input that all shapes below follow from.
    pub input: Shape,
    /// In the order in which the network shows them.
    pub layers: Vec<LayerSummary>,
    /// Numbers that learn; those of a parameter that several layers share count once.
    pub parameters: usize,
    /// Numbers that are kept but do not learn: running means.
    pub buffers: usize,
    /// Bytes of both.
    pub bytes: usize,
}

/// A layer within a network.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct LayerSummary {
    /// The path of names that leads there: `2`, `encoder.0`.
    pub name: String,
    /// As [`Module::kind`] says.
    pub kind: &'static str,
    /// Of its last output; `None` where the network around it runs it by `forward` and not by [`call`](crate::nn::call).
    pub output: Option<Shape>,
    /// Numbers that it learns, those of layers within apart.
    pub parameters: usize,
}

thread_local! {
    /// Where this thread is within a network, while a summary is made.
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

#[derive(Default)]
struct Watch {
    path: String,
    outputs: BTreeMap<String, Shape>,
}

/// The output of `forward`, and its shape noted under `name` if a summary is being made.
pub(super) fn watched(name: &dyn fmt::Display, forward: impl FnOnce() -> Tensor) -> Tensor {
    let outer = WATCH.with_borrow_mut(|watch| {
        let path = &mut watch.as_mut()?.path;
        let outer = path.len();
        *path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        Some(outer)
    });
    let y = forward();
    if let Some(outer) = outer {
        WATCH.with_borrow_mut(|watch| {
            let Some(Watch { path, outputs }) = watch else { return };
            outputs.insert(path.clone(), y.shape());
            path.truncate(outer);
        });
    }
    y
}

/// Walks the network, and runs it once on `input`: shapes only, as nobody reads the values.
pub(super) fn summary<M: Module + ?Sized>(net: &M, input: &Tensor) -> Result<Summary> {
    let mut modes = Vec::new();
    walk(net, &mut |_, item| {
        if let Item::Mode(cell) = item {
            modes.push(cell.get());
            cell.set(Mode::Eval); // draws nothing and moves no running value
        }
    });
    WATCH.set(Some(Watch::default()));
    let y = no_grad(|| net.forward(input));
    let outputs = WATCH.take().map(|watch| watch.outputs).unwrap_or_default();
    let mut modes = modes.into_iter();
    walk(net, &mut |_, item| {
        if let Item::Mode(cell) = item
            && let Some(mode) = modes.next()
        {
            cell.set(mode);
        }
    });
    y.check()?;
    let mut summary =
        Summary { kind: net.kind(), input: input.shape(), layers: Vec::new(), parameters: 0, buffers: 0, bytes: 0 };
    let own = |parameters| LayerSummary { name: String::new(), kind: net.kind(), output: Some(y.shape()), parameters };
    let mut known = BTreeSet::new();
    walk(net, &mut |path, item| match item {
        Item::Child(layer) => {
            let output = outputs.get(path).copied();
            summary.layers.push(LayerSummary { name: path.to_string(), kind: layer.kind(), output, parameters: 0 });
        }
        Item::Param(param) => {
            let (tensor, owner) = (param.tensor(), path.rsplit_once('.').map_or("", |(owner, _)| owner));
            match summary.layers.iter_mut().rfind(|layer| layer.name == owner) {
                Some(layer) => layer.parameters += tensor.numel(),
                None => summary.layers.insert(0, own(tensor.numel())), // of the network itself
            }
            if param.id().is_none_or(|id| known.insert(id)) {
                summary.parameters += tensor.numel();
                summary.bytes += tensor.numel() * tensor.dtype().size();
            }
        }
        Item::Buffer(buffer) => {
            summary.buffers += buffer.get().numel();
            summary.bytes += buffer.get().numel() * buffer.get().dtype().size();
        }
        Item::Mode(_) | Item::Random(_) => {}
    });
    if summary.layers.is_empty() {
        summary.layers.push(own(0));
    }
    Ok(summary)
}

impl fmt::Display for Summary {
    /// A table in columns as wide as their longest entry, and the totals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shape = |shape: &Option<Shape>| shape.map_or("?".to_string(), |shape| shape.to_string());
        let mut rows = vec![["Layer", "Kind", "Output", "Parameters"].map(String::from)];
        rows.push([String::new(), "input".into(), self.input.to_string(), String::new()]);
        for layer in &self.layers {
            let within = format!("{}.", layer.name);
            let holds_others = self.layers.iter().any(|other| other.name.starts_with(&within));
            let parameters = match layer.parameters {
                0 if holds_others => String::new(), // theirs follow
                number => grouped(number),
            };
            rows.push([layer.name.clone(), layer.kind.to_string(), shape(&layer.output), parameters]);
        }
        let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
        let [a, b, c, d] = [0, 1, 2, 3].map(width);
        for (i, [name, kind, output, parameters]) in rows.iter().enumerate() {
            writeln!(f, "{}", format!("{name:a$}  {kind:b$}  {output:c$}  {parameters:>d$}").trim_end())?;
            if i == 0 {
                writeln!(f, "{}", "-".repeat(a + b + c + d + 6))?;
            }
        }
        writeln!(f, "{}", "-".repeat(a + b + c + d + 6))?;
        write!(f, "{} parameters", grouped(self.parameters))?;
        if self.buffers > 0 {
            write!(f, ", {} kept numbers", grouped(self.buffers))?;
        }
        write!(f, ", {} bytes", grouped(self.bytes))
    }
}

/// `1234567` as `1,234,567`.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
