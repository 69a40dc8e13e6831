//! Signalling's connections with roots of our own. `livekit-net` brings clients that know the
//! system's roots only, and takes others in their place.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use livekit_net::{
    Header, HttpClient, HttpMethod, HttpResponse, TransportError, WsClient, WsConnectResult,
    WsConnection,
};
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue, Request};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{Connector, MaybeTlsStream, WebSocketStream};

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The largest message of signalling, in bytes: a room's state of some hundred participants is
/// well below.
const LARGEST_MESSAGE: usize = 4 * 1024 * 1024;

/// The largest answer to an HTTP request, in bytes: these are short texts.
const LARGEST_ANSWER: usize = 256 * 1024;

/// Connects with a TLS configuration of its own.
pub struct Secure {
    tls: Arc<ClientConfig>,
    http: reqwest::Client,
}

impl Secure {
    /// # Errors
    /// When the HTTP client can't be made of `tls`.
    pub fn new(tls: ClientConfig) -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .use_preconfigured_tls(tls.clone())
            .build()?;
        let tls = Arc::new(tls);
        Ok(Self { tls, http })
    }
}

#[async_trait]
impl WsClient for Secure {
    async fn connect(
        &self,
        url: String,
        headers: Vec<Header>,
        timeout_ms: u64,
    ) -> Result<WsConnectResult, TransportError> {
        let request = request(&url, &headers)?;
        let limits = WebSocketConfig::default()
            .max_message_size(Some(LARGEST_MESSAGE))
            .max_frame_size(Some(LARGEST_MESSAGE));
        let connecting = tokio_tungstenite::connect_async_tls_with_config(
            request,
            Some(limits),
            true,
            Some(Connector::Rustls(Arc::clone(&self.tls))),
        );
        let (socket, _) = tokio::time::timeout(Duration::from_millis(timeout_ms), connecting)
            .await
            .map_err(|_| TransportError::Timeout)?
            .map_err(connection_error)?;
        let (writer, reader) = socket.split();
        Ok(WsConnectResult {
            connection: Arc::new(Connection {
                writer: Mutex::new(writer),
                reader: Mutex::new(reader),
            }),
        })
    }
}

fn request(url: &str, headers: &[Header]) -> Result<Request<()>, TransportError> {
    let mut request = url.into_client_request().map_err(connection_error)?;
    for header in headers {
        let unusable = || TransportError::Other(format!("unusable header {}", header.name));
        let name = HeaderName::try_from(&header.name).map_err(|_| unusable())?;
        let value = HeaderValue::try_from(&header.value).map_err(|_| unusable())?;
        request.headers_mut().insert(name, value);
    }
    Ok(request)
}

fn connection_error(error: tungstenite::Error) -> TransportError {
    match error {
        tungstenite::Error::Http(response) => TransportError::Http {
            status: response.status().as_u16(),
        },
        other => TransportError::Connection(other.to_string()),
    }
}

/// One open connection. Each half has its own user: the mutexes are there for the trait, which
/// gives shared access to both.
struct Connection {
    writer: Mutex<SplitSink<Socket, Message>>,
    reader: Mutex<SplitStream<Socket>>,
}

#[async_trait]
impl WsConnection for Connection {
    async fn send(&self, frame: Vec<u8>) -> Result<(), TransportError> {
        let mut writer = self.writer.lock().await;
        let sent = writer.send(Message::Binary(frame.into())).await;
        sent.map_err(connection_error)
    }

    async fn recv(&self) -> Result<Option<Vec<u8>>, TransportError> {
        let mut reader = self.reader.lock().await;
        loop {
            match reader.next().await {
                Some(Ok(Message::Binary(frame))) => return Ok(Some(frame.into())),
                // Pings are answered by the library; of text there is none in the protocol.
                Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Text(_))) => {}
                Some(Ok(Message::Close(_) | Message::Frame(_))) | None => return Ok(None),
                Some(Err(error)) => return Err(connection_error(error)),
            }
        }
    }

    async fn close(&self) {
        if let Err(error) = self.writer.lock().await.close().await {
            tracing::debug!(%error, "signalling was closed without a word");
        }
    }
}

#[async_trait]
impl HttpClient for Secure {
    async fn request(
        &self,
        method: HttpMethod,
        url: String,
        headers: Vec<Header>,
        body: Option<Vec<u8>>,
    ) -> Result<HttpResponse, TransportError> {
        let mut request = match method {
            HttpMethod::Get => self.http.get(&url),
            HttpMethod::Post => self.http.post(&url),
        };
        for header in &headers {
            request = request.header(&header.name, &header.value);
        }
        if let Some(body) = body {
            request = request.body(body);
        }
        let mut response = request.send().await.map_err(http_error)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(http_error)? {
            if body.len() + chunk.len() > LARGEST_ANSWER {
                return Err(TransportError::Other("the answer is too long".to_owned()));
            }
            body.extend_from_slice(&chunk);
        }
        let headers = response.headers().iter();
        let headers = headers.filter_map(|(name, value)| {
            Some(Header {
                name: name.to_string(),
                value: value.to_str().ok()?.to_owned(),
            })
        });
        Ok(HttpResponse {
            status: response.status().as_u16(),
            headers: headers.collect(),
            body,
        })
    }
}

/// reqwest's own words are "error sending request"; why stands below. The URL stays out: it may
/// carry a token.
fn http_error(error: reqwest::Error) -> TransportError {
    let error = error.without_url();
    let mut text = error.to_string();
    let mut source = std::error::Error::source(&error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    TransportError::Connection(text)
}
