//! Work on slices, spread over threads.
//!
//! The caller fixes the chunks, by the size of the data alone; which thread runs which chunk changes from run to run and
//! cannot change a result. The calling thread takes part, so that a helper which wakes late costs little, and work that is not
//! worth a helper stays where it is.

use super::crew;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Work that each thread must find to be worth waking, in the unit of [`Launch::work`](crate::device::launch::Launch):
/// arithmetic operations plus words read and written. Vector loops over cached data do some 20 of them a nanosecond, so this is
/// about 13 µs; handing work to a sleeping thread and waiting for it took 5 to 35 µs (1 µs if it had not gone to sleep yet).
pub const WORK_PER_THREAD: u64 = 1 << 18;

/// Work in all up to which helpers are worth being kept awake for: some 13 ms. A crew that has longer work would be missed.
const SHORT: u64 = 1 << 28;

/// Groups of chunks a thread gets on average: enough that a thread which is held up elsewhere is not waited for with a large
/// share, few enough that taking one costs nothing.
const GROUPS_PER_THREAD: usize = 4;

/// Calls `f(index, chunk)` once for each run of `chunk` items of `out` (the last one may be shorter), on up to `threads`
/// threads. `work` is that of one chunk.
pub fn for_chunks<T: Send>(threads: usize, out: &mut [T], chunk: usize, work: u64, f: impl Fn(usize, &mut [T]) + Sync) {
    let chunk = chunk.max(1);
    let plan = Sharing::of(threads, out.len().div_ceil(chunk), work);
    let parts = out.chunks_mut(chunk.saturating_mul(plan.group)).enumerate();
    plan.run(parts, |(part, items)| {
        for (i, items) in items.chunks_mut(chunk).enumerate() {
            f(part * plan.group + i, items);
        }
    });
}

/// As [`for_chunks`], over several outputs at once: chunk `i` of each output, in their order. Each output brings its own chunk
/// length (halves take half the words); all must come to the same number of chunks, or the surplus is left out.
pub fn for_chunks_of_all<T: Send>(
    threads: usize,
    outs: Vec<(&mut [T], usize)>,
    work: u64,
    f: impl Fn(usize, &mut [&mut [T]]) + Sync,
) {
    let chunks = outs.iter().map(|(out, chunk)| out.len().div_ceil((*chunk).max(1))).min().unwrap_or(0);
    let plan = Sharing::of(threads, chunks, work);
    let mut rest = outs;
    let parts = (0..chunks).step_by(plan.group).map(move |first| {
        let last = chunks.min(first + plan.group);
        let part: Vec<_> = rest.iter_mut().map(|(out, chunk)| (take(out, (last - first) * *chunk), *chunk)).collect();
        (first..last, part)
    });
    plan.run(parts.collect::<Vec<_>>().into_iter(), |(indices, mut part)| {
        let mut items = Vec::with_capacity(part.len());
        for index in indices {
            items.extend(part.iter_mut().map(|(out, chunk)| take(out, *chunk)));
            f(index, &mut items);
            items.clear();
        }
    });
}

/// Maps each run of `part` indices of `0..len` and combines the results pairwise, neighbours first: a tree that depends on
/// `len` and `part` alone. `None` when `len` is 0. `work` is that of one part. Neighbours are combined as soon as both are
/// there, so that few results are alive at a time: about one a thread and one a level of the tree.
pub fn map_reduce<R: Send>(
    threads: usize,
    len: usize,
    part: usize,
    work: u64,
    map: impl Fn(Range<usize>) -> R + Sync,
    combine: impl Fn(R, R) -> R + Sync,
) -> Option<R> {
    let part = part.max(1);
    let mut parts = vec![(); len.div_ceil(part)];
    let waiting: Mutex<HashMap<(u32, usize), R>> = Mutex::new(HashMap::new()); // by level and place in it
    let lock = || waiting.lock().unwrap_or_else(PoisonError::into_inner);
    let count = parts.len();
    for_chunks(threads, &mut parts, 1, work, |i, _| {
        let (mut level, mut at, mut count) = (0, i, count);
        let mut result = map(i * part..len.min((i + 1) * part));
        while count > 1 {
            let sibling = at ^ 1;
            if sibling < count {
                let mut waiting = lock();
                let Some(other) = waiting.remove(&(level, sibling)) else {
                    waiting.insert((level, at), result);
                    return;
                };
                drop(waiting);
                result = if at < sibling { combine(result, other) } else { combine(other, result) };
            } // else an odd one at the end, which moves up as it is
            (level, at, count) = (level + 1, at / 2, count.div_ceil(2));
        }
        lock().insert((u32::MAX, 0), result);
    });
    waiting.into_inner().unwrap_or_else(PoisonError::into_inner).into_values().next()
}

/// The first `n` items of a slice, which keeps the rest.
fn take<'a, T>(slice: &mut &'a mut [T], n: usize) -> &'a mut [T] {
    let all = std::mem::take(slice);
    let (head, tail) = all.split_at_mut(n.min(all.len()));
    *slice = tail;
    head
}

/// How a number of chunks is shared out.
#[derive(Clone, Copy)]
struct Sharing {
    helpers: usize,
    group: usize, // chunks that are taken at once
    short: bool,
}

impl Sharing {
    fn of(threads: usize, chunks: usize, work: u64) -> Sharing {
        let worth = (chunks as u64).saturating_mul(work) / WORK_PER_THREAD;
        let threads = threads.min(chunks).min(usize::try_from(worth).unwrap_or(usize::MAX));
        if threads <= 1 {
            return Sharing { helpers: 0, group: chunks.max(1), short: true };
        }
        let group = chunks.div_ceil(threads.saturating_mul(GROUPS_PER_THREAD));
        Sharing { helpers: threads - 1, group, short: worth < SHORT / WORK_PER_THREAD }
    }

    /// Runs all items on the caller and the helpers; each takes the next one when it is done with the last. The caller goes on
    /// from the front, helpers from the back: what a core has in its cache, it has again in the next call on the same data.
    fn run<I: DoubleEndedIterator<Item: Send> + Send>(self, items: I, f: impl Fn(I::Item) + Sync) {
        if self.helpers == 0 {
            return items.for_each(f);
        }
        let (items, caller) = (Mutex::new(items), thread::current().id());
        let next = || {
            let mut items = items.lock().unwrap_or_else(PoisonError::into_inner);
            if thread::current().id() == caller { items.next() } else { items.next_back() }
        };
        let work = || {
            while let Some(item) = next() {
                f(item);
            }
        };
        // Within a pool of rayon's, its threads are all there is to be used.
        if self.short && rayon::current_thread_index().is_none() && crew::run(self.helpers, &work) {
            return;
        }
        rayon::in_place_scope(|scope| {
            for _ in 0..self.helpers {
                scope.spawn(|_| work());
            }
            work();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const HEAVY: u64 = WORK_PER_THREAD * 8; // so that even one chunk is worth a thread

    #[test]
    fn every_chunk_is_visited_once_with_its_index() {
        for (len, chunk) in [(0, 4), (1, 4), (4, 4), (5, 4), (1000, 7), (1000, 1), (3, 0)] {
            for threads in [0, 1, 2, 5] {
                let mut out = vec![0usize; len];
                for_chunks(threads, &mut out, chunk, HEAVY, |i, items| {
                    for (j, item) in items.iter_mut().enumerate() {
                        *item += i * chunk.max(1) + j + 1;
                    }
                });
                let expected: Vec<usize> = (1..=len).collect();
                assert_eq!(out, expected, "len {len}, chunk {chunk}, threads {threads}");
            }
        }
    }

    #[test]
    fn several_outputs_are_cut_alike() {
        for threads in [1, 3] {
            let (mut words, mut halves) = (vec![0; 1001], vec![0; 501]);
            for_chunks_of_all(threads, vec![(&mut words, 20), (&mut halves, 10)], HEAVY, |i, outs| {
                outs.iter_mut().for_each(|out| out.fill(i + 1));
            });
            assert!(words.iter().enumerate().all(|(at, i)| *i == at / 20 + 1));
            assert!(halves.iter().enumerate().all(|(at, i)| *i == at / 10 + 1));
        }
        for_chunks_of_all::<u32>(2, Vec::new(), HEAVY, |_, _| panic!("there is nothing to visit"));
    }

    #[test]
    fn a_reduction_is_the_same_tree_for_any_number_of_threads() {
        let tree = |threads, len| {
            let leaf = |r: Range<usize>| format!("{}-{}", r.start, r.end);
            map_reduce(threads, len, 10, HEAVY, leaf, |a, b| format!("({a} {b})"))
        };
        assert_eq!(tree(1, 0), None);
        assert_eq!(tree(1, 7).unwrap(), "0-7");
        assert_eq!(tree(1, 45).unwrap(), "(((0-10 10-20) (20-30 30-40)) 40-45)");
        for len in [7, 45, 500] {
            assert_eq!(tree(1, len), tree(4, len));
        }
    }

    #[test]
    fn few_results_of_a_reduction_are_alive_at_a_time() {
        struct Alive<'a>(&'a AtomicUsize);
        impl Drop for Alive<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        for threads in [1, 4] {
            let (alive, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let map = |_| {
                most.fetch_max(alive.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                std::thread::yield_now();
                Alive(&alive)
            };
            drop(map_reduce(threads, 1024, 1, HEAVY, map, |a, _| a));
            let most = most.into_inner();
            assert!(most <= 12 * threads, "{most} of 1024 on {threads} threads"); // a thread's groups leave a result a level
        }
    }

    #[test]
    fn light_work_stays_on_the_calling_thread() {
        let caller = std::thread::current().id();
        let elsewhere = AtomicUsize::new(0);
        for_chunks(8, &mut [0u32; 100], 1, WORK_PER_THREAD / 100, |_, _| {
            elsewhere.fetch_add(usize::from(std::thread::current().id() != caller), Ordering::Relaxed);
        });
        assert_eq!(elsewhere.into_inner(), 0);
    }

    #[test]
    fn work_inside_work_finishes() {
        let mut out = vec![0u32; 64];
        for_chunks(4, &mut out, 8, HEAVY, |_, rows| {
            for_chunks(4, rows, 1, HEAVY, |i, item| item.fill(i as u32 + 1));
        });
        assert!(out.chunks(8).all(|rows| rows == [1, 2, 3, 4, 5, 6, 7, 8]));
    }
}
