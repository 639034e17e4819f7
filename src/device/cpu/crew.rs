//! Threads that wait awake for the next piece of short work.
//!
//! Waking a thread that sleeps takes 5 to 35 µs, which is as long as a step of a small network; one that still looks out for work
//! has it within a microsecond. So a helper keeps looking for a while after its last work, and only then goes to sleep. Long work
//! is not worth that, and belongs to rayon.
#![allow(unsafe_code)]

use std::any::Any;
use std::hint::spin_loop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicPtr, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// How long a helper looks out for work before it sleeps.
const AWAKE: Duration = Duration::from_micros(200);
/// Looks between two readings of the clock.
const LOOKS: u32 = 64;

/// Work that many threads may do at once: each call takes parts until none is left.
type Work<'a> = &'a (dyn Fn() + Sync + 'a);
type Panic = Box<dyn Any + Send>;

/// The state of the crew: in the low bits the threads at work, above them how many more may join, then the number of the work.
const JOINED: u64 = 1;
const PLACE: u64 = 1 << 16;
const NUMBER: u64 = 1 << 32;
const FEW: u64 = 0xffff;

struct Crew {
    state: AtomicU64,
    /// The work, while threads may join or are at it: points to a [`Work`] on the stack of whoever waits for its end.
    work: AtomicPtr<()>,
    /// What the first helper's work panicked with.
    failed: Mutex<Option<Panic>>,
    asleep: AtomicUsize,
    /// Locked by whoever has work done.
    helpers: Mutex<Vec<Thread>>,
}

static CREW: Crew = Crew {
    state: AtomicU64::new(0),
    work: AtomicPtr::new(std::ptr::null_mut()),
    failed: Mutex::new(None),
    asleep: AtomicUsize::new(0),
    helpers: Mutex::new(Vec::new()),
};

/// Calls `work` on this thread, and on up to `helpers` others that come in time. Returns when every call has. False, and nothing
/// done, when the crew has other work.
pub(super) fn run(helpers: usize, work: Work<'_>) -> bool {
    let mut crew = match CREW.helpers.try_lock() {
        Ok(crew) => crew,
        Err(TryLockError::Poisoned(crew)) => crew.into_inner(), // a caller's work panicked; the crew is whole
        Err(TryLockError::WouldBlock) => return false,
    };
    if !enlist(&mut crew, helpers) {
        return false;
    }
    std::mem::forget(CREW.failed.lock().unwrap_or_else(PoisonError::into_inner).take()); // of work whose caller panicked too
    CREW.work.store((&raw const work).cast_mut().cast(), Ordering::Relaxed);
    let places = (helpers.min(crew.len()) as u64).min(FEW) * PLACE;
    let number = (CREW.state.load(Ordering::Relaxed) & !(NUMBER - 1)).wrapping_add(NUMBER);
    // SeqCst, as in `sleep`: either a helper sees the new state, or we see that it sleeps.
    CREW.state.store(number + places, Ordering::SeqCst);
    let end = End; // waits, however this function is left
    if CREW.asleep.load(Ordering::SeqCst) > 0 {
        crew.iter().take(helpers).for_each(Thread::unpark);
    }
    work();
    drop(end);
    let failed = CREW.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some(panic) = failed {
        resume_unwind(panic);
    }
    true
}

/// Lets nobody join any more, and waits for those at work.
struct End;

impl Drop for End {
    fn drop(&mut self) {
        let mut looks = 0u32;
        let mut at_work = CREW.state.fetch_and(!(FEW * PLACE), Ordering::AcqRel) & FEW;
        while at_work > 0 {
            looks = looks.wrapping_add(1);
            // One that was sent off its core needs ours, perhaps.
            if looks.is_multiple_of(LOOKS * LOOKS) {
                thread::yield_now()
            } else {
                spin_loop()
            }
            at_work = CREW.state.load(Ordering::Acquire) & FEW;
        }
    }
}

/// Sees to it that there are so many helpers, or at least one.
fn enlist(crew: &mut MutexGuard<'_, Vec<Thread>>, helpers: usize) -> bool {
    while crew.len() < helpers.min(FEW as usize) {
        match thread::Builder::new().name("tilework".into()).spawn(help) {
            Ok(helper) => crew.push(helper.thread().clone()),
            Err(_) => break,
        }
    }
    !crew.is_empty()
}

/// What a helper does all its life.
fn help() {
    let (mut began, mut looks) = (Instant::now(), 0u32);
    loop {
        let state = CREW.state.load(Ordering::Acquire);
        if state & (FEW * PLACE) != 0 {
            let joined = state - PLACE + JOINED;
            // The number is part of the state: this fails when the work that was looked at has ended.
            if CREW.state.compare_exchange(state, joined, Ordering::Acquire, Ordering::Relaxed).is_ok() {
                let work = CREW.work.load(Ordering::Relaxed).cast_const().cast::<Work<'_>>();
                // SAFETY: the pointer was stored before the state that we have just joined. Who stored it does not leave its
                // function, and so keeps what it points to, until we are counted out below.
                let work = unsafe { *work };
                if let Err(panic) = catch_unwind(AssertUnwindSafe(work)) {
                    // One that was there before is of no use to anybody; dropped, it could panic again.
                    std::mem::forget(CREW.failed.lock().unwrap_or_else(PoisonError::into_inner).replace(panic));
                }
                CREW.state.fetch_sub(JOINED, Ordering::Release);
            }
            (began, looks) = (Instant::now(), 0);
            continue;
        }
        looks = looks.wrapping_add(1);
        if looks.is_multiple_of(LOOKS) && began.elapsed() > AWAKE {
            sleep(state);
            began = Instant::now();
        }
        spin_loop();
    }
}

/// Until there is other work than when `seen` was read.
fn sleep(seen: u64) {
    CREW.asleep.fetch_add(1, Ordering::SeqCst);
    while CREW.state.load(Ordering::SeqCst) == seen {
        thread::park();
    }
    CREW.asleep.fetch_sub(1, Ordering::SeqCst);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// Work of many parts, of which each thread takes the next.
    fn sum_of_parts(helpers: usize, parts: usize) -> Option<usize> {
        let (next, sum) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || {
            loop {
                let part = next.fetch_add(1, Ordering::Relaxed);
                if part >= parts {
                    return;
                }
                sum.fetch_add(part, Ordering::Relaxed);
            }
        };
        run(helpers, &work).then(|| sum.into_inner())
    }

    #[test]
    fn every_part_is_done_once_by_whoever_comes_and_from_many_threads_at_once() {
        thread::scope(|scope| {
            for caller in 0..4 {
                scope.spawn(move || {
                    for round in 0..2000 {
                        if round % 500 == caller {
                            thread::sleep(3 * AWAKE); // so that helpers sleep in between
                        }
                        if let Some(sum) = sum_of_parts(1 + round % 3, 100) {
                            assert_eq!(sum, 99 * 100 / 2);
                        }
                    }
                });
            }
        });
    }

    #[test]
    fn a_panic_comes_to_the_caller_and_the_crew_goes_on() {
        let caller = thread::current().id();
        for _ in 0..20 {
            let came = AtomicBool::new(false);
            let failing = || {
                if thread::current().id() != caller {
                    came.store(true, Ordering::Release);
                    panic!("meant to");
                }
                let began = Instant::now();
                while !came.load(Ordering::Acquire) && began.elapsed() < Duration::from_secs(5) {
                    thread::yield_now();
                }
            };
            match catch_unwind(AssertUnwindSafe(|| run(1, &failing))) {
                Ok(ran) => assert!(!ran, "the helper's panic was lost"),
                Err(panic) => assert_eq!(panic.downcast_ref(), Some(&"meant to")),
            }
            let own = || assert!(thread::current().id() != caller, "of the caller");
            if let Ok(ran) = catch_unwind(AssertUnwindSafe(|| run(1, &own))) {
                assert!(!ran, "the caller's panic was lost");
            }
        }
        while sum_of_parts(1, 10).is_none_or(|sum| sum != 45) {} // another test may have it for a moment
    }

    #[test]
    fn work_within_work_finds_the_crew_taken() {
        let within = AtomicUsize::new(0);
        let work = || {
            let refused = !run(1, &|| ());
            within.fetch_add(usize::from(refused), Ordering::Relaxed);
        };
        if run(1, &work) {
            assert!(within.into_inner() >= 1);
        }
    }
}
