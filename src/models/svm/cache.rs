//! Kernel rows that are kept, within a budget of bytes; the ones used longest ago go first.

use std::collections::BTreeMap;

/// Rows of `f32` by number, as LIBSVM keeps them: half the bytes of doubles, and the solver's sums stay in `f64`.
#[derive(Debug)]
pub(super) struct Cache {
    rows: Vec<Entry>,
    /// Which row was used at which tick.
    uses: BTreeMap<u64, u32>,
    tick: u64,
    /// Numbers that are held and may be held.
    held: usize,
    most: usize,
}

#[derive(Debug, Default, Clone)]
struct Entry {
    values: Vec<f32>,
    used: u64,
}

impl Cache {
    /// For `count` rows, in `bytes`; two of them are kept in any case.
    pub fn new(count: usize, bytes: usize) -> Cache {
        let most = (bytes / size_of::<f32>()).max(2 * count);
        Cache { rows: vec![Entry::default(); count], uses: BTreeMap::new(), tick: 0, held: 0, most }
    }

    /// Row `row` of at least `len` numbers; `fill(have, values)` extends the `have` first ones that were kept.
    pub fn row(&mut self, row: usize, len: usize, fill: impl FnOnce(usize, &mut Vec<f32>)) -> &[f32] {
        self.tick += 1;
        let tick = self.tick;
        let (kept, used) = self.rows.get(row).map_or((0, 0), |entry| (entry.values.len(), entry.used));
        self.uses.remove(&used);
        let missing = len.saturating_sub(kept);
        while self.held + missing > self.most {
            let Some((_, oldest)) = self.uses.pop_first() else { break };
            if let Some(entry) = self.rows.get_mut(oldest as usize) {
                self.held -= std::mem::take(&mut entry.values).len();
            }
        }
        let Some(entry) = self.rows.get_mut(row) else { return &[] };
        if missing > 0 {
            fill(kept, &mut entry.values);
            self.held += entry.values.len() - kept;
        }
        entry.used = tick;
        self.uses.insert(tick, row as u32);
        &entry.values
    }

    /// Numbers that are kept.
    pub fn held(&self) -> usize {
        self.held
    }

    /// What is kept of a row, without using it.
    pub fn peek(&self, row: usize) -> &[f32] {
        self.rows.get(row).map_or(&[], |entry| &entry.values)
    }

    /// Puts what stood at `order[i]` in each row to `i`, and forgets the rest: rows get as short as `order`. A row that does not
    /// reach so far is dropped.
    pub fn reorder(&mut self, order: &[u32]) {
        let reach = order.iter().max().map_or(0, |&last| last as usize + 1);
        self.held = 0;
        for entry in &mut self.rows {
            if entry.values.len() < reach {
                self.uses.remove(&entry.used);
                *entry = Entry::default();
            } else if !entry.values.is_empty() {
                entry.values = order.iter().filter_map(|&i| entry.values.get(i as usize)).copied().collect();
                self.held += entry.values.len();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_row_used_longest_ago_makes_room() {
        let mut cache = Cache::new(10, 120); // three rows of ten numbers
        let mut fills = 0;
        for row in [0, 1, 2, 0, 3, 0, 1] {
            let values = cache.row(row, 10, |have, values| {
                fills += 1;
                values.extend((have..10).map(|i| (row * 10 + i) as f32));
            });
            assert_eq!(values[9], (row * 10 + 9) as f32);
        }
        assert_eq!(fills, 5); // 0, 1, 2, then 3 in the place of 1, then 1 again
        assert!(cache.held <= 30);
    }

    #[test]
    fn rows_follow_a_new_order_and_grow_again() {
        let mut cache = Cache::new(4, 1000);
        cache.row(0, 4, |_, values| values.extend([0.0, 1.0, 2.0, 3.0]));
        cache.row(1, 2, |_, values| values.extend([5.0, 6.0]));
        cache.reorder(&[0, 3]);
        assert_eq!(cache.peek(0), [0.0, 3.0]);
        assert!(cache.peek(1).is_empty());
        let grown = cache.row(0, 3, |have, values| {
            assert_eq!(have, 2);
            values.push(9.0);
        });
        assert_eq!(grown, [0.0, 3.0, 9.0]);
    }
}
