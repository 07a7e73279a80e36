//! The counters of this process in the Prometheus text form. No listener of its own: `/metrics` asks [`Metrics::render`].

use std::sync::OnceLock;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

/// Buckets for durations of work: from half a millisecond to a minute.
const SECONDS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 15.0, 60.0];
/// Buckets for the age of messages: from a second to a day.
const AGE: [f64; 9] = [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 21600.0, 86400.0];

static INSTALLED: OnceLock<Option<Metrics>> = OnceLock::new();

/// The recorder of this process. Cheap to clone.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Installs the recorder, the first time; later calls give the same one. `None` when another recorder is in place.
    pub fn install(version: &'static str, commit: &'static str) -> Option<Metrics> {
        let install = || {
            let handle = builder().ok()?.install_recorder().ok()?;
            metrics::gauge!("postroom_build_info", "version" => version, "commit" => commit).set(1.0);
            Some(Metrics(handle))
        };
        INSTALLED.get_or_init(install).clone()
    }

    /// Everything counted so far, in the Prometheus text format 0.0.4.
    pub fn render(&self) -> String {
        // Nobody else drains the histograms, as there is no listener.
        self.0.run_upkeep();
        self.0.render()
    }
}

fn builder() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), &SECONDS)?
        .set_buckets_for_metric(Matcher::Full("postroom_message_age_seconds".to_owned()), &AGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered() {
        assert!(Metrics::install("0.0.0", "abc").is_some(), "no other recorder in this binary");
        let again = Metrics::install("9.9.9", "def").expect("the same one");
        metrics::counter!("postroom_messages_total", "state" => "tracked").increment(3);
        metrics::histogram!("postroom_message_age_seconds", "stage" => "stored").record(0.2);
        let text = again.render();
        assert!(text.contains("postroom_build_info{version=\"0.0.0\",commit=\"abc\"} 1"), "{text}");
        assert!(text.contains("postroom_messages_total{state=\"tracked\"} 3"), "{text}");
        assert!(
            text.contains("postroom_message_age_seconds_bucket{stage=\"stored\",le=\"86400\"} 1"),
            "{text}"
        );
    }
}
