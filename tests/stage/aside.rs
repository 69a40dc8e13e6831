//! Something that serves beside a test, on a thread and a runtime of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;

use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Serves at a free TCP port of loopback until it is dropped.
pub struct Aside {
    address: SocketAddr,
    /// Dropped to end it.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Aside {
    /// Gives `serve` the listener. It runs on the runtime, where it may make sockets of its own.
    pub fn start<S>(serve: impl FnOnce(TcpListener) -> S + Send + 'static) -> Self
    where
        S: Future<Output = ()>,
    {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.expect("a free TCP port");
        listener.set_nonblocking(true).expect("not blocking");
        let address = listener.local_addr().expect("its address");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = serve(listener) => {}
                    _ = stopped => {}
                }
            });
        });
        Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Where clients connect.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Aside {
    fn drop(&mut self) {
        drop(self.stop.take());
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(
            !matches!(ended, Some(Err(_))) || std::thread::panicking(),
            "what serves beside the test ended early: its own message stands above"
        );
    }
}
