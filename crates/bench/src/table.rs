//! A run for eyes.

use std::fmt::Write;

use crate::record::{
    Beside, Cluster, Figures, Growth, Ingest, Latency, Query, QueryRow, Recovery, Run,
};

/// A run in a few lines.
pub(crate) fn of(run: &Run) -> String {
    let settings = &run.settings;
    let mut text = match &run.figures {
        Figures::Ingest(ingest) => {
            let layout = format!("{:?}", settings.layout).to_lowercase();
            let encoding = settings.encoding.name().unwrap_or("identity");
            format!(
                "ingest    {} spans of {} B: {}, {layout}, {encoding}, {} services, seed {}\n",
                count(ingest.spans),
                ingest.body_bytes_per_span,
                settings.format.name(),
                settings.services,
                settings.seed
            )
        }
        Figures::Query(query) => format!(
            "query     {} spans stored at {} a second, {} traces read back field by field\n",
            count(query.spans),
            count(query.full_rate as u64),
            query.verified_traces
        ),
        Figures::Growth(growth) => format!("growth    {} spans stored\n", count(growth.spans)),
        Figures::Recovery(recovery) => format!(
            "recovery  {} spans acknowledged, then kill -9\n",
            count(recovery.acknowledged)
        ),
        Figures::Cluster(cluster) => format!(
            "cluster   {} spans, {} partitions{}\n",
            count(cluster.spans),
            cluster.partitions,
            if cluster.republish {
                ", collectors read all of it"
            } else {
                ""
            }
        ),
    };
    match &run.figures {
        Figures::Ingest(figures) => ingest(&mut text, figures),
        Figures::Query(figures) => query(&mut text, figures),
        Figures::Growth(figures) => growth(&mut text, figures),
        Figures::Recovery(figures) => recovery(&mut text, figures),
        Figures::Cluster(figures) => cluster(&mut text, figures),
    }
    text
}

/// Adds a line of a name and what there is to say.
macro_rules! row {
    ($text:expr, $name:expr, $($part:tt)*) => {{
        // Writing to a string cannot fail.
        let _ok = write!($text, "  {:<12}", $name).and_then(|()| writeln!($text, $($part)*));
    }};
}

fn ingest(text: &mut String, ingest: &Ingest) {
    if let Some(server) = &ingest.server {
        row!(
            text,
            "CPU",
            "{} s per million spans settled, {} at the last answer (program {}, kernel {})",
            server.cpu_s_per_m,
            server.cpu_s_per_m_end,
            server.user_s_per_m,
            server.system_s_per_m
        );
        if !server.by_thread.is_empty() {
            let threads: Vec<String> = server
                .by_thread
                .iter()
                .map(|(name, s)| format!("{name} {s}"))
                .collect();
            row!(text, "", "{}", threads.join(", "));
        }
        row!(
            text,
            "settled",
            "{}{} s after the last answer",
            if server.settled { "" } else { "not " },
            server.settle_s
        );
    }
    row!(
        text,
        "speed",
        "{} spans/s in {} s, the generator beside it; answers {}",
        count(ingest.spans_per_s as u64),
        ingest.seconds,
        latency(&ingest.answer)
    );
    if let Some(disk) = &ingest.disk {
        row!(
            text,
            "disk",
            "{} B per span in the end ({} at the last answer, {} settled)",
            disk.bytes_per_span,
            disk.bytes_per_span_end,
            disk.bytes_per_span_settled
        );
        row!(
            text,
            "written",
            "{} B per span: {} times what is left",
            disk.written_per_span,
            disk.write_amplification
        );
    }
    if let Some(server) = &ingest.server {
        row!(text, "memory", "{} MB at the peak", server.peak_rss_mb);
    }
    row!(
        text,
        "generator",
        "{} µs of CPU per span",
        ingest.generator_us_per_span
    );
    row!(
        text,
        "turned away",
        "{} bodies for overload, {} spans of them not sent again; {} spans refused as unusable",
        ingest.overloaded,
        ingest.given_up_spans,
        ingest.refused_spans
    );
}

fn query(text: &mut String, query: &Query) {
    row!(text, "memory", "{} MB at the peak", query.peak_rss_mb);
    questions(text, &query.rows);
    if let Some(beside) = &query.beside {
        text.push('\n');
        qps(text, beside);
    }
}

fn questions(text: &mut String, rows: &[QueryRow]) {
    let _ok = writeln!(
        text,
        "\n  {:<6}{:<42}{:>7}{:>10}{:>10}{:>10}  wrong",
        "load", "question", "asked", "p50 ms", "p99 ms", "max ms"
    );
    for row in rows {
        let Latency {
            p50_ms,
            p99_ms,
            max_ms,
        } = row.latency;
        let _ok = writeln!(
            text,
            "  {:<6}{:<42}{:>7}{p50_ms:>10.2}{p99_ms:>10.2}{max_ms:>10.2}  {}",
            row.load, row.question, row.asked, row.wrong
        );
        if let Some(example) = &row.example {
            let _ok = writeln!(text, "        {example:.300}");
        }
    }
}

fn qps(text: &mut String, beside: &Beside) {
    row!(
        text,
        "beside",
        "{} questions/s ({} answered in time) with {} spans/s: answers {}, {} wrong",
        beside.qps,
        beside.answered_per_s,
        count(beside.spans_per_s),
        latency(&beside.answer),
        beside.wrong
    );
    let more = (beside.ingest_us_per_span_with / beside.ingest_us_per_span_without - 1.0) * 100.0;
    row!(
        text,
        "",
        "ingest {} µs of CPU per span without, {} with ({more:+.1} %); {} ms a question",
        beside.ingest_us_per_span_without,
        beside.ingest_us_per_span_with,
        beside.query_ms_per_question
    );
}

fn growth(text: &mut String, growth: &Growth) {
    row!(
        text,
        "CPU",
        "{} s per million spans of this step, {} spans/s",
        growth.cpu_s_per_m,
        count(growth.spans_per_s as u64)
    );
    row!(
        text,
        "disk",
        "{} B per span, {} segments, {} files open",
        growth.disk_bytes_per_span,
        growth.segments,
        growth.open_files
    );
    row!(text, "by id", "{}", latency(&growth.by_id));
    row!(text, "search", "{}", latency(&growth.search));
    row!(
        text,
        "memory",
        "{} MB at the peak; ready {} s after the restart; {} wrong answers",
        growth.peak_rss_mb,
        growth.ready_s,
        growth.wrong
    );
}

fn recovery(text: &mut String, recovery: &Recovery) {
    row!(
        text,
        "lost",
        "{} by the account; {} spans of {} traces read back",
        recovery.lost,
        recovery.verified_lost,
        recovery.verified_traces
    );
    row!(
        text,
        "ready",
        "after {} s with {} MiB of log: {} s per GiB",
        recovery.ready_s,
        recovery.log_mib,
        recovery.ready_s_per_gib
    );
}

fn cluster(text: &mut String, cluster: &Cluster) {
    for role in &cluster.roles {
        row!(
            text,
            format!("{} ", role.role),
            "{} CPU-s per million spans (kernel {}), {} MB at the peak, done {} s after the last answer",
            role.cpu_s_per_m,
            role.system_s_per_m,
            role.peak_rss_mb,
            role.behind_s
        );
    }
    row!(
        text,
        "speed",
        "{} spans/s taken in, everything beside it; answers {}",
        count(cluster.spans_per_s as u64),
        latency(&cluster.answer)
    );
    for alone in &cluster.alone {
        row!(
            text,
            "alone",
            "{} {}: {} spans/s, {} CPU-s per million spans, {} MB at the peak",
            alone.processes,
            alone.role,
            count(alone.spans_per_s as u64),
            alone.cpu_s_per_m,
            alone.peak_rss_mb
        );
    }
    let bytes = cluster.bytes;
    let of = |bytes: Option<f64>| bytes.map_or_else(|| "?".to_owned(), |bytes| bytes.to_string());
    row!(
        text,
        "bytes",
        "per span: Kafka {}, Cassandra {}, OpenSearch {} ({} before it merged)",
        of(bytes.kafka),
        of(bytes.cassandra),
        bytes.opensearch,
        bytes.opensearch_written
    );
    row!(
        text,
        "query",
        "{} traces read back; {} MB at the peak",
        cluster.verified_traces,
        cluster.query_peak_rss_mb
    );
    questions(text, &cluster.rows);
}

fn latency(latency: &Latency) -> String {
    format!(
        "p50 {} ms, p99 {} ms, max {} ms",
        latency.p50_ms, latency.p99_ms, latency.max_ms
    )
}

/// With a comma at each thousand.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or(""))
        .collect();
    groups.join(",")
}
