//! Tensors cross threads; work of several threads on one device is right and repeatable.

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
    for device in std::iter::once(Device::cpu()).chain(Device::gpu()) {
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
fn values_are_read_without_blocking_the_thread() {
    for device in std::iter::once(Device::cpu()).chain(Device::gpu()) {
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
