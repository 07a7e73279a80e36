//! temporary
use std::net::SocketAddr;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
pub struct Options {
    pub listen: SocketAddr,
    pub public_url: Option<String>,
    pub tls: Option<Arc<rustls::ServerConfig>>,
    pub max_message: u64,
}
pub struct Web(SocketAddr);
impl Web {
    pub async fn bind(
        o: Options,
        _: postroom_operations::Operations,
        _: Arc<dyn Fn() -> String + Send + Sync>,
    ) -> Result<Web, std::io::Error> {
        let _ = (o.public_url, o.tls, o.max_message);
        Ok(Web(o.listen))
    }
    pub fn local_addr(&self) -> SocketAddr {
        self.0
    }
    pub fn sign_in_url(&self, s: &str) -> String {
        s.to_owned()
    }
    pub async fn run(self, stop: CancellationToken) -> Result<(), std::io::Error> {
        stop.cancelled().await;
        Ok(())
    }
}
