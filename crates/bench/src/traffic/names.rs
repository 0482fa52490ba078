//! The words of a travel company: its services, what they keep, what goes wrong with them.

/// Services, front to back: the first call the later ones. Another fifty are named after these.
pub(super) const SERVICES: [(&str, &str); 50] = [
    ("edge-proxy", "pages"),
    ("web-shell", "views"),
    ("app-bff", "screens"),
    ("partner-api", "contracts"),
    ("trip-search", "searches"),
    ("booking", "bookings"),
    ("itinerary", "itineraries"),
    ("checkin", "boardings"),
    ("loyalty", "members"),
    ("profile", "travellers"),
    ("offers", "offers"),
    ("recommend", "suggestions"),
    ("reviews", "reviews"),
    ("support-desk", "cases"),
    ("vouchers", "vouchers"),
    ("hotels", "hotels"),
    ("cars", "rentals"),
    ("rail", "journeys"),
    ("flights", "flights"),
    ("seats", "seatmaps"),
    ("baggage", "bags"),
    ("meals", "meals"),
    ("insurance", "policies"),
    ("visa-check", "visas"),
    ("fares", "fares"),
    ("pricing", "quotes"),
    ("currency", "rates"),
    ("tax", "duties"),
    ("payments", "charges"),
    ("wallet", "cards"),
    ("risk-score", "verdicts"),
    ("refunds", "refunds"),
    ("invoices", "invoices"),
    ("ledger", "entries"),
    ("availability", "slots"),
    ("holds", "holds"),
    ("ticketing", "tickets"),
    ("schedule", "timetables"),
    ("routes", "legs"),
    ("places", "airports"),
    ("weather", "forecasts"),
    ("translate", "phrases"),
    ("media", "images"),
    ("mailer", "mails"),
    ("texting", "messages"),
    ("identity", "accounts"),
    ("sessions", "sessions"),
    ("consent", "consents"),
    ("experiments", "variants"),
    ("audit", "records"),
];

/// A language, the grain of its clock in ns, and its libraries: server, client, store.
pub(super) type Language = (&'static str, u64, [(&'static str, &'static str); 3]);

pub(super) const LANGUAGES: [Language; 5] = [
    (
        "java",
        1,
        [
            ("io.opentelemetry.tomcat-10.0", "2.15.0-alpha"),
            ("io.opentelemetry.apache-httpclient-5.0", "2.15.0-alpha"),
            ("io.opentelemetry.jdbc", "2.15.0-alpha"),
        ],
    ),
    (
        "go",
        1,
        [
            (
                "go.opentelemetry.io/contrib/instrumentation/net/http/otelhttp",
                "0.61.0",
            ),
            (
                "go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc",
                "0.61.0",
            ),
            ("github.com/XSAM/otelsql", "0.38.0"),
        ],
    ),
    (
        "nodejs",
        1_000,
        [
            ("@opentelemetry/instrumentation-http", "0.201.1"),
            ("@opentelemetry/instrumentation-undici", "0.12.0"),
            ("@opentelemetry/instrumentation-pg", "0.53.0"),
        ],
    ),
    (
        "python",
        1,
        [
            ("opentelemetry.instrumentation.fastapi", "0.55b1"),
            ("opentelemetry.instrumentation.httpx", "0.55b1"),
            ("opentelemetry.instrumentation.asyncpg", "0.55b1"),
        ],
    ),
    (
        "dotnet",
        100,
        [
            ("Microsoft.AspNetCore", "9.0.5"),
            ("System.Net.Http", "9.0.5"),
            ("Npgsql", "9.0.3"),
        ],
    ),
];

/// Methods of HTTP with what they do to a route.
pub(super) const METHODS: [(&str, &str); 6] = [
    ("GET", "/{id}"),
    ("GET", ""),
    ("POST", ""),
    ("PUT", "/{id}"),
    ("GET", "/{id}/details"),
    ("DELETE", "/{id}"),
];

/// Methods of a gRPC service.
pub(super) const PROCEDURES: [&str; 6] = ["Get", "List", "Create", "Quote", "Validate", "Release"];

/// Work worth a span of its own.
pub(super) const TASKS: [&str; 8] = [
    "assemble response",
    "rank candidates",
    "apply rules",
    "render template",
    "merge results",
    "sign token",
    "load settings",
    "check quota",
];

/// Who asks at the edge; inside, services name themselves.
pub(super) const AGENTS: [&str; 6] = [
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36",
    "Mozilla/5.0 (X11; Linux x86_64; rv:139.0) Gecko/20100101 Firefox/139.0",
    "TripApp/7.31.2 (iPhone; iOS 18.5; Scale/3.00)",
    "TripApp/7.30.0 (Android 15; Pixel 9)",
    "partner-client/3.2 (okhttp/4.12.0)",
];

/// Who asks inside.
pub(super) const CALLERS: [&str; 5] = [
    "Apache-HttpClient/5.4.4 (Java/21.0.7)",
    "Go-http-client/1.1",
    "undici",
    "python-httpx/0.28.1",
    "trip-http/9.0 (dotnet; linux-x64)",
];

pub(super) const THREADS: [&str; 12] = [
    "http-nio-8080-exec-1",
    "http-nio-8080-exec-2",
    "http-nio-8080-exec-3",
    "http-nio-8080-exec-4",
    "http-nio-8080-exec-5",
    "http-nio-8080-exec-6",
    "grpc-default-executor-0",
    "grpc-default-executor-1",
    "grpc-default-executor-2",
    "grpc-default-executor-3",
    "consumer-0",
    "consumer-1",
];

/// What a failed span says, the exception's type, and its text.
pub(super) const FAILURES: [(&str, &str, &str); 6] = [
    (
        "upstream timed out",
        "TimeoutError",
        "no answer within 2000 ms from the upstream",
    ),
    (
        "connection reset",
        "ConnectionResetError",
        "connection reset by peer while reading the response",
    ),
    (
        "constraint violated",
        "IntegrityError",
        "duplicate key value violates a unique constraint",
    ),
    (
        "no capacity",
        "CapacityExceeded",
        "the pool of 64 connections is exhausted, 312 callers wait",
    ),
    (
        "invalid state",
        "IllegalStateException",
        "the entry was changed by another writer since it was read",
    ),
    (
        "deadline exceeded",
        "DeadlineExceeded",
        "context deadline exceeded while awaiting headers",
    ),
];
