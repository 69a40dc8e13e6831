//! The relay's TCP half: the recorder's way to the server's signalling.

use std::net::SocketAddr;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// How the way to the server is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Way {
    /// Raised by one for each cut: connections from before it are reset.
    pub cuts: u32,
    /// New connections are reset until then.
    pub refused_until: Option<Instant>,
    /// Connections stay, and not a byte passes.
    pub held: bool,
}

/// Accepts on `front` and passes on to `server`, as `way` allows.
pub async fn relay(front: TcpListener, server: SocketAddr, way: watch::Receiver<Way>) {
    loop {
        let (client, _) = front.accept().await.expect("the signalling listener");
        tokio::spawn(connection(client, server, way.clone()));
    }
}

async fn connection(client: TcpStream, server: SocketAddr, mut way: watch::Receiver<Way>) {
    let state = *way.borrow_and_update();
    if state
        .refused_until
        .is_some_and(|until| Instant::now() < until)
    {
        reset(&client);
        return;
    }
    // A server that is away refuses, and so does its relay.
    let Ok(mut upstream) = TcpStream::connect(server).await else {
        reset(&client);
        return;
    };
    let mut client = client;
    tokio::select! {
        () = shuttle(&mut client, &mut upstream, way.clone()) => {}
        () = cut_after(state.cuts, way) => {
            reset(&client);
            reset(&upstream);
        }
    }
}

/// Its end, once it is dropped, is a reset and not an orderly close.
fn reset(stream: &TcpStream) {
    stream.set_zero_linger().expect("a TCP socket");
}

/// Returns at the first cut after `cuts`; never when the relay is gone.
async fn cut_after(cuts: u32, mut way: watch::Receiver<Way>) {
    if way.wait_for(|way| way.cuts > cuts).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Passes bytes both ways until one side ends.
async fn shuttle(client: &mut TcpStream, server: &mut TcpStream, way: watch::Receiver<Way>) {
    let (client_in, client_out) = client.split();
    let (server_in, server_out) = server.split();
    tokio::select! {
        () = pass(client_in, server_out, way.clone()) => {}
        () = pass(server_in, client_out, way) => {}
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut way: watch::Receiver<Way>,
) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(len) = from.read(&mut buffer).await
        && len > 0
        // What is not passed on fills the sender's socket: nothing grows here.
        && way.wait_for(|way| !way.held).await.is_ok()
        && to.write_all(&buffer[..len]).await.is_ok()
    {}
}
