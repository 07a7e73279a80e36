//! A server's thread: one listener, one task for each connection, all of them ended together.

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::JoinHandle;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

/// A listener on a thread of its own. It ends, with its connections, when this value is dropped.
pub(crate) struct ServerThread {
    pub address: SocketAddr,
    // Dropped to end the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl ServerThread {
    /// Listens on a free port of 127.0.0.1 and calls `serve` for each connection.
    ///
    /// # Panics
    /// When the machine has no port or thread to spare.
    pub fn start<F>(name: &str, serve: impl Fn(TcpStream) -> F + Send + 'static) -> ServerThread
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let listener = listener.expect("a port of 127.0.0.1 can be had");
        let address = listener.local_addr().expect("a bound socket has an address");
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime can be made").block_on(async {
                tokio::select! {
                    () = accept(listener, serve) => {}
                    _ = stopped => {}
                }
            });
        });
        let thread = Some(thread.expect("a thread can be started"));
        ServerThread { address, stop: Some(stop), thread }
    }
}

impl Drop for ServerThread {
    fn drop(&mut self) {
        self.stop = None;
        // A panic there was printed there.
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

async fn accept<F>(listener: std::net::TcpListener, serve: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    listener.set_nonblocking(true).expect("a listener can be asynchronous");
    let listener = TcpListener::from_std(listener).expect("the runtime has IO");
    loop {
        if let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    }
}
