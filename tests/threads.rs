//! Tensors cross threads; work of several threads on one device is right and repeatable.

mod common;

use common::{alone, devices};
use tilework::nn::{Linear, Module, Sequential};
use tilework::optim::{Adam, Optimizer};
use tilework::{Device, Gradients, Rng, Tensor};

fn is_send_and_sync<T: Send + Sync>() {}

#[test]
fn what_users_hold_may_cross_threads() {
    is_send_and_sync::<Tensor>();
    is_send_and_sync::<Device>();
    is_send_and_sync::<Gradients>();
    is_send_and_sync::<Sequential>();
    is_send_and_sync::<Optimizer>();
    is_send_and_sync::<tilework::Error>();
}

/// The weights after some steps of a small regression.
fn trained(seed: u64, device: &Device) -> Vec<f32> {
    let rng = &mut Rng::seed(seed);
    let net = Linear::new(16, 4, rng, device);
    let x = Tensor::uniform([64, 16], -1.0, 1.0, rng, device);
    let y = Tensor::uniform([64, 4], -1.0, 1.0, rng, device);
    let mut adam = Optimizer::new(Adam::default(), net.parameters());
    for _ in 0..20 {
        let loss = net.forward(&x).squared_difference(&y).mean();
        adam.step(loss.backward().unwrap()).unwrap();
    }
    net.weight.tensor().to_vec().unwrap()
}

#[test]
fn two_threads_that_train_on_one_device_get_what_each_gets_alone() {
    let _turn = alone();
    for device in devices() {
        let alone = [trained(1, &device), trained(2, &device)];
        let together: Vec<Vec<f32>> = std::thread::scope(|scope| {
            let device = &device;
            let running = [1, 2].map(|seed| scope.spawn(move || trained(seed, device)));
            running.map(|thread| thread.join().unwrap()).to_vec()
        });
        for (a, b) in alone.iter().zip(&together) {
            assert!(a == b, "{device}: the other thread changed a result");
        }
    }
}

#[test]
fn a_read_on_one_thread_leaves_what_another_records_in_one_plan() {
    let _turn = alone();
    for device in devices() {
        let chain = |x: Tensor, steps: usize| (0..steps).fold(x, |x, _| &x * 0.5 + 1.0);
        let before = device.stats().plans_built;
        for cut in [10, 20, 30] {
            let half = chain(Tensor::ones([64], &device), cut);
            let other = || chain(Tensor::ones([32], &device), 7).sum().item::<f32>().unwrap();
            assert!(std::thread::scope(|scope| scope.spawn(other).join().unwrap()) > 63.0);
            assert!(chain(half, 62 - cut).sum().item::<f32>().unwrap() > 127.0);
        }
        let built = device.stats().plans_built - before;
        assert_eq!(built, 2, "{device}: one thread's calls were planned with the other's, or cut by its read");
    }
}

#[test]
fn values_of_another_thread_are_run_when_they_are_used_and_when_they_are_read() {
    let _turn = alone();
    for device in devices() {
        let made = || std::thread::scope(|scope| scope.spawn(|| Tensor::ones([4], &device) * 3.0).join().unwrap());
        assert_eq!(made().to_vec::<f32>().unwrap(), [3.0; 4], "{device}");
        assert_eq!((made() + made()).sum().item::<f32>().unwrap(), 24.0, "{device}");
        let waiting = made();
        device.synchronize().unwrap();
        assert_eq!(waiting.sum().item::<f32>().unwrap(), 12.0, "{device}");
    }
}

#[test]
fn values_are_read_without_blocking_the_thread() {
    let _turn = alone();
    for device in devices() {
        let x = Tensor::ones([3], &device) * 2.0;
        let waiting = x.to_vec_async::<f32>();
        assert_eq!(block_on(waiting).unwrap(), [2.0; 3], "{device}");
        assert_eq!(block_on(x.sum().item_async::<f32>()).unwrap(), 6.0, "{device}");
    }
}

/// Polls a future on this thread until it is ready.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    use std::sync::Arc;
    use std::task::{Context, Poll, Wake, Waker};
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut future = std::pin::pin!(future);
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    loop {
        match future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
