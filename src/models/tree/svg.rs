//! A tree as a drawing: each node a card with its split and what is known of its rows, coloured by what it predicts.

use super::nodes::{NodeView, Tree};
use super::text::{TreeNames, commonest};
use std::fmt::Write;

const CARD: [f64; 2] = [190.0, 66.0]; // pixels: room for "10000000 rows · impurity 0.1234"
const LEAF_HEIGHT: f64 = 50.0;
const GAP: [f64; 2] = [18.0, 54.0];
const MARGIN: f64 = 24.0;

/// Colours of classes: Okabe and Ito's, told apart by colour-blind readers too.
const COLOURS: [[u8; 3]; 8] = [
    [0, 114, 178],
    [230, 159, 0],
    [0, 158, 115],
    [204, 121, 167],
    [86, 180, 233],
    [213, 94, 0],
    [240, 228, 66],
    [110, 110, 110],
];

/// A node to draw: the middle of its card, and its depth. `hidden` is of one whose children are not drawn.
struct Card {
    node: usize,
    x: f64,
    depth: usize,
    parent: Option<usize>,
    hidden: bool,
}

impl Tree {
    /// The tree as an SVG picture. `max_depth` levels of splits are drawn, all when none is given; a node with more below says so.
    ///
    /// ```
    /// use tilework::models::{DecisionTreeClassifier, Estimator, TreeNames};
    /// let model = DecisionTreeClassifier::default().fit(&[[1.0], [2.0], [3.0]], &[0u32, 0, 1])?;
    /// assert!(model.tree.to_svg(None, TreeNames::default()).contains("feature_0 ≤ 2.5"));
    /// # Ok::<(), tilework::Error>(())
    /// ```
    pub fn to_svg(&self, max_depth: Option<usize>, names: TreeNames<'_>) -> String {
        let cards = self.layout(max_depth.unwrap_or(usize::MAX));
        let (deepest, widest) =
            cards.iter().fold((0, 0.0f64), |(deep, wide), card| (deep.max(card.depth), wide.max(card.x)));
        let width = widest + CARD[0] / 2.0 + MARGIN;
        let height = 2.0 * MARGIN + deepest as f64 * (CARD[1] + GAP[1]) + CARD[1];
        let mut svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} \
             {height:.0}\" font-family=\"Inter, 'Segoe UI', 'Helvetica Neue', Arial, sans-serif\" font-size=\"12\" \
             text-anchor=\"middle\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
        );
        for card in &cards {
            let Some(parent) = card.parent.and_then(|parent| cards.get(parent)) else { continue };
            let (from, to) = (top(parent.depth) + CARD[1], top(card.depth));
            let bend = GAP[1] * 0.55;
            let (a, b) = (from + bend, to - bend);
            // a `String` takes all that is written
            let _ = writeln!(
                svg,
                "<path d=\"M{0:.1} {from:.1}C{0:.1} {a:.1} {1:.1} {b:.1} {1:.1} {to:.1}\" fill=\"none\" \
                 stroke=\"#b4bac4\" stroke-width=\"{2:.1}\"/>",
                parent.x,
                card.x,
                self.thickness(card.node)
            );
        }
        // which way a row goes is said once, below the root
        for (card, (side, anchor, word)) in cards.iter().skip(1).zip([(-9.0, "end", "yes"), (9.0, "start", "no")]) {
            let (x, y) = (card.x + side, top(1) - 8.0);
            let _ = writeln!(
                svg,
                "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"#6b7280\">{word}</text>"
            );
        }
        cards.iter().for_each(|card| self.draw(card, names, &mut svg));
        svg + "</svg>\n"
    }

    /// Leaves side by side, parents above the middle of their children. The first card is the root's.
    fn layout(&self, max_depth: usize) -> Vec<Card> {
        let mut cards = vec![Card { node: 0, x: 0.0, depth: 0, parent: None, hidden: false }];
        let (mut stack, mut leaves) = (vec![0], 0.0);
        let mut children: Vec<[usize; 2]> = Vec::new(); // in the order in which they were found
        let mut inner = Vec::new();
        while let Some(at) = stack.pop() {
            let (node, depth) = (cards[at].node, cards[at].depth);
            match self.node(node).and_then(|node| node.split) {
                Some(split) if depth < max_depth => {
                    let first = cards.len();
                    for node in [split.left, split.right] {
                        cards.push(Card { node, x: 0.0, depth: depth + 1, parent: Some(at), hidden: false });
                    }
                    inner.push(at);
                    children.push([first, first + 1]);
                    stack.extend([first + 1, first]);
                }
                split => {
                    cards[at].hidden = split.is_some();
                    cards[at].x = MARGIN + CARD[0] / 2.0 + leaves * (CARD[0] + GAP[0]);
                    leaves += 1.0;
                }
            }
        }
        for (&at, &[left, right]) in inner.iter().zip(&children).rev() {
            cards[at].x = (cards[left].x + cards[right].x) / 2.0;
        }
        cards
    }

    /// Of the line to a node: by its share of the weight.
    fn thickness(&self, node: usize) -> f64 {
        let weight = |node| self.node(node).map_or(0.0, |node| node.weight);
        1.0 + 5.0 * (weight(node) / weight(0)).sqrt()
    }

    fn draw(&self, card: &Card, names: TreeNames<'_>, svg: &mut String) {
        let Some(node) = self.node(card.node) else { return };
        let inner = node.split.is_some();
        let (colour, ink) = self.colour(&node);
        let (x, y) = (card.x - CARD[0] / 2.0, top(card.depth));
        let height = if inner { CARD[1] } else { LEAF_HEIGHT };
        let _ = writeln!(
            svg,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{}\" height=\"{height}\" rx=\"8\" fill=\"{}\" stroke=\"{}\" \
             stroke-width=\"1.2\"/>",
            CARD[0],
            hex(colour),
            hex(ink)
        );
        let mut lines = Vec::new();
        if let Some(split) = node.split {
            let name = shortened(&names.feature(split.feature), 16);
            lines.push((
                "600",
                match split.threshold.is_nan() {
                    true => format!("{name} in set"),
                    false => format!("{name} ≤ {}", number(split.threshold)),
                },
            ));
        }
        let said = match self.outputs > 1 {
            true => {
                let class = commonest(node.value);
                let share = 100.0 * node.value.get(class).copied().unwrap_or(0.0);
                format!("{} · {share:.0} %", shortened(&names.class(class), 16))
            }
            false => number(node.value.first().copied().unwrap_or(0.0)),
        };
        lines.push((if inner { "400" } else { "600" }, said));
        let rows = format!("{} rows · impurity {}", node.samples, number(node.impurity));
        lines.push(("400", if card.hidden { format!("{} rows · more below", node.samples) } else { rows }));
        let step = 18.0;
        let first = y + height / 2.0 - step * (lines.len() as f64 - 1.0) / 2.0 + 4.0;
        for (i, (weight, line)) in lines.iter().enumerate() {
            let fill = if i + 1 == lines.len() { "#4b5563" } else { "#111827" };
            let _ = writeln!(
                svg,
                "<text x=\"{:.1}\" y=\"{:.1}\" font-weight=\"{weight}\" fill=\"{fill}\">{}</text>",
                card.x,
                first + step * i as f64,
                escaped(line)
            );
        }
    }

    /// A light colour for a card, deeper the surer it is, and a strong one for its edge: by class, or by how large the number is.
    fn colour(&self, node: &NodeView<'_>) -> ([u8; 3], [u8; 3]) {
        let (base, strength) = match self.outputs > 1 {
            true => {
                let class = commonest(node.value);
                let share = node.value.get(class).copied().unwrap_or(0.0);
                let even = 1.0 / self.outputs as f64;
                (COLOURS[class % COLOURS.len()], (share - even) / (1.0 - even))
            }
            false => {
                let (low, high) = self
                    .values
                    .iter()
                    .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &v| (low.min(v), high.max(v)));
                let value = node.value.first().copied().unwrap_or(0.0);
                (COLOURS[0], if high > low { (value - low) / (high - low) } else { 0.0 })
            }
        };
        let mixed = |share: f64| base.map(|c| (255.0 - share * (255.0 - f64::from(c))).round() as u8);
        (mixed(0.06 + 0.36 * strength.clamp(0.0, 1.0)), mixed(0.85))
    }
}

fn top(depth: usize) -> f64 {
    MARGIN + depth as f64 * (CARD[1] + GAP[1])
}

fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Four digits that count, without trailing zeros.
fn number(value: f64) -> String {
    let size = value.abs();
    if value == 0.0 {
        return "0".into();
    }
    if !(1e-3..1e6).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = (3 - size.log10().floor() as i32).max(0) as usize;
    let text = format!("{value:.decimals$}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn shortened(name: &str, most: usize) -> String {
    match name.chars().count() > most {
        true => name.chars().take(most - 1).chain(['…']).collect(),
        false => name.to_owned(),
    }
}

/// Text that cannot become markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_show_what_counts() {
        let shown = [0.0, 2.5, -0.0123456, 1234.56, 12.0, 1e9, 2e-7].map(number);
        assert_eq!(shown, ["0", "2.5", "-0.01235", "1235", "12", "1.00e9", "2.00e-7"]);
    }

    #[test]
    fn names_cannot_break_the_picture() {
        assert_eq!(escaped("a<b>&\"c"), "a&lt;b&gt;&amp;\"c");
        assert_eq!(shortened("äöüäöü", 4), "äöü…");
    }
}
