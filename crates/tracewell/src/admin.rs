//! Health and metrics: `/healthz` while the process lives, `/readyz` after replay, `/metrics`.
//! Served on the admin listener, and beside the API on the query listener; health alone also
//! beside ingest over HTTP, where load balancers of senders ask.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{StatusCode, header};
use prometheus_client::registry::Registry;

use crate::readiness::Readiness;

#[derive(Clone)]
struct Admin {
    registry: Arc<Mutex<Registry>>,
}

/// The routes of health and metrics.
pub(crate) fn routes(readiness: Arc<Readiness>, registry: Registry) -> Router {
    let admin = Admin {
        registry: Arc::new(Mutex::new(registry)),
    };
    let metrics = Router::new().route("/metrics", get(metrics));
    metrics.with_state(admin).merge(health(readiness))
}

/// The routes of health.
pub(crate) fn health(readiness: Arc<Readiness>) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(readiness)
}

async fn ready(State(readiness): State<Arc<Readiness>>) -> Response {
    match readiness.waiting_for() {
        None => "ready\n".into_response(),
        Some(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")).into_response(),
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    let registry = admin
        .registry
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    let mut page = String::new();
    match prometheus_client::encoding::text::encode(&mut page, &registry) {
        Ok(()) => {
            let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, content_type)], page).into_response()
        }
        Err(error) => {
            tracing::error!(%error, "failed to encode the metrics");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
