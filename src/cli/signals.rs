//! Ctrl-C and SIGTERM: the first asks for an orderly end, the second ends at once. SIGHUP: the
//! configuration is to be read again.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::Exit;
use crate::events;

/// Cancels `stop` at the first SIGINT or SIGTERM; a second one exits the process at once, with
/// what is open left to recovery.
///
/// # Errors
/// When the handlers can't be installed.
pub fn stop_on_signals(stop: CancellationToken) -> io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        tracing::info!(
            message_id = events::STOPPING,
            "stopping: sealing what is open (once more to exit at once)"
        );
        stop.cancel();
        either(&mut interrupt, &mut terminate).await;
        tracing::warn!("exiting at once: open segments are left as they are");
        std::process::exit(i32::from(Exit::Failed.code()));
    });
    Ok(())
}

async fn either(a: &mut Signal, b: &mut Signal) {
    tokio::select! {
        _ = a.recv() => {}
        _ = b.recv() => {}
    }
}

/// What is asked for by SIGHUP; several before it is looked at count as one.
///
/// # Errors
/// When the handler can't be installed.
pub fn hang_up() -> io::Result<Signal> {
    signal(SignalKind::hangup())
}
