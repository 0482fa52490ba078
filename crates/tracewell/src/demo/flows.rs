//! What customers of the demo do, and what goes wrong in the shop. Time decides: payment grows slow
//! and fails in every quarter of an hour; who crashes is in `deaths`.

use tracewell_sdk::Kind;

use super::deaths::{Deaths, Life};
use super::tape::{Failure, Mark, Tape};

type Outcome = Result<(), Failure>;

const STRIPE_TIMEOUT: Failure = Failure {
    exception: "StripeTimeout",
    message: "connect to api.stripe.example:443 timed out after 1500 ms",
    stack: "StripeTimeout: connect to api.stripe.example:443 timed out after 1500 ms\n    at Gateway.connect (gateway.js:88:13)\n    at Gateway.charge (gateway.js:141:7)\n    at PaymentService.charge (payment.js:52:11)\n    at handleUnary (server.js:210:5)",
};
const CARD_DECLINED: Failure = Failure {
    exception: "CardDeclined",
    message: "the bank declined the card: insufficient_funds",
    stack: "CardDeclined: the bank declined the card: insufficient_funds\n    at PaymentService.charge (payment.js:61:9)\n    at handleUnary (server.js:210:5)",
};
const NULL_POINTER: Failure = Failure {
    exception: "java.lang.NullPointerException",
    message: "Cannot invoke \"Product.getCategory()\" because \"product\" is null",
    stack: "java.lang.NullPointerException: Cannot invoke \"Product.getCategory()\" because \"product\" is null\n\tat shop.recommendation.Ranker.rank(Ranker.java:88)\n\tat shop.recommendation.Service.list(Service.java:41)\n\tat io.grpc.stub.ServerCalls$UnaryServerCallHandler.onHalfClose(ServerCalls.java:182)",
};

/// One customer's request, starting at this time. Without a frontend there is none.
pub(crate) fn request<'a>(rng: &mut fastrand::Rng, start_ns: u64, deaths: &'a Deaths) -> Tape<'a> {
    let mut tape = Tape::new(rng, start_ns, deaths);
    if tape.life("frontend") == Life::Dead {
        return tape;
    }
    let (route, page): (&str, fn(&mut Tape<'_>, Mark) -> Outcome) = match tape.rng.u32(..100) {
        0..40 => ("GET /", home),
        40..70 => ("GET /product/{id}", product),
        70..85 => ("POST /cart", add_to_cart),
        _ => ("POST /checkout", checkout),
    };
    let root = tape.begin(None, "frontend", route, Kind::Server);
    let (method, path) = route.split_once(' ').unwrap_or(("GET", route));
    tape.tag(root, "http.request.method", method);
    tape.tag(root, "http.route", path);
    let (user, request) = (tape.rng.u32(..4_000), tape.rng.u64(..));
    tape.tag(root, "user_id", format!("u-{user}"));
    tape.tag(root, "request_id", format!("r-{request:016x}"));
    tape.work(800);
    let outcome = page(&mut tape, root);
    tape.work(400);
    match outcome {
        Ok(()) => {
            tape.tag(root, "http.response.status_code", 200);
            tape.end(root);
        }
        Err(failure) => {
            tape.tag(root, "http.response.status_code", 500);
            tape.fail(
                root,
                Failure {
                    exception: "",
                    stack: "",
                    ..failure
                },
            );
        }
    }
    tape
}

fn home(tape: &mut Tape<'_>, root: Mark) -> Outcome {
    verify(tape, root)?;
    tape.call(root, "catalog", "Catalog/List", |tape, catalog| {
        tape.query(
            catalog,
            "postgresql",
            "SELECT id, name, price FROM products ORDER BY rank LIMIT 24",
            4_000,
        );
        Ok(())
    })?;
    // The page is shown without recommendations and ads where they fail.
    recommend(tape, root).ok();
    let ads = tape.call(root, "ads", "Ads/Pick", |tape, ads| {
        tape.query(ads, "redis", "ZRANGE ads 0 9", 300);
        let slow = tape.rng.u32(..100) == 0;
        tape.work(if slow { 480_000 } else { 3_000 });
        Ok(())
    });
    ads.ok();
    Ok(())
}

fn product(tape: &mut Tape<'_>, root: Mark) -> Outcome {
    verify(tape, root)?;
    look_up(tape, root)?;
    convert(tape, root)?;
    stock(tape, root, "Inventory/Stock")?;
    recommend(tape, root).ok();
    Ok(())
}

fn add_to_cart(tape: &mut Tape<'_>, root: Mark) -> Outcome {
    verify(tape, root)?;
    tape.call(root, "cart", "Cart/Add", |tape, cart| {
        tape.query(cart, "redis", "HSET cart", 400);
        Ok(())
    })
}

fn checkout(tape: &mut Tape<'_>, root: Mark) -> Outcome {
    verify(tape, root)?;
    tape.call(root, "checkout", "Checkout/Place", |tape, checkout| {
        let items = tape.rng.i64(1..6);
        tape.tag(checkout, "app.items", items);
        tape.call(checkout, "cart", "Cart/Get", |tape, cart| {
            tape.query(cart, "redis", "HGETALL cart", 500);
            Ok(())
        })?;
        // One call per item, one after the other: the N+1 that every shop has somewhere.
        for _ in 0..items {
            look_up(tape, checkout)?;
        }
        convert(tape, checkout)?;
        stock(tape, checkout, "Inventory/Reserve")?;
        pay(tape, checkout)?;
        tape.call(checkout, "shipping", "Shipping/Quote", |tape, shipping| {
            let statement = "SELECT price FROM zones WHERE code = $1";
            tape.query(shipping, "postgresql", statement, 3_000);
            tape.work(2_000);
            Ok(())
        })?;
        confirm(tape, checkout);
        Ok(())
    })
}

fn verify(tape: &mut Tape<'_>, caller: Mark) -> Outcome {
    tape.call(caller, "auth", "Auth/Verify", |tape, auth| {
        tape.query(auth, "redis", "GET session", 300);
        Ok(())
    })
}

fn look_up(tape: &mut Tape<'_>, caller: Mark) -> Outcome {
    tape.call(caller, "catalog", "Catalog/Get", |tape, catalog| {
        let statement = "SELECT * FROM products WHERE id = $1";
        tape.query(catalog, "postgresql", statement, 1_500);
        Ok(())
    })
}

fn convert(tape: &mut Tape<'_>, caller: Mark) -> Outcome {
    tape.call(caller, "currency", "Currency/Convert", |tape, currency| {
        tape.query(currency, "redis", "GET rates", 300);
        tape.work(300);
        Ok(())
    })
}

fn recommend(tape: &mut Tape<'_>, caller: Mark) -> Outcome {
    tape.call(
        caller,
        "recommendation",
        "Recommendation/List",
        |tape, recommendation| {
            tape.work(6_000);
            if tape.rng.u32(..200) == 0 {
                return Err(NULL_POINTER);
            }
            tape.call(
                recommendation,
                "catalog",
                "Catalog/List",
                |tape, catalog| {
                    tape.query(
                        catalog,
                        "postgresql",
                        "SELECT id FROM products WHERE category = $1",
                        2_500,
                    );
                    Ok(())
                },
            )
        },
    )
}

fn stock(tape: &mut Tape<'_>, caller: Mark, operation: &'static str) -> Outcome {
    tape.call(caller, "inventory", operation, |tape, inventory| {
        let statement = "SELECT count FROM stock WHERE sku = $1 FOR UPDATE";
        tape.query(inventory, "postgresql", statement, 3_000);
        tape.work(1_000);
        Ok(())
    })
}

/// Payment's provider slows down towards the end of every quarter of an hour, then times out.
fn pay(tape: &mut Tape<'_>, caller: Mark) -> Outcome {
    let phase = (tape.now_ns / 1_000_000_000 % 900) as f64 / 900.0;
    let drift = 1.0 + 7.0 * phase.powi(3);
    tape.call(caller, "payment", "Payment/Charge", |tape, payment| {
        let amount = tape.rng.i64(500..25_000);
        tape.tag(payment, "app.amount_cents", amount);
        let stripe = tape.begin(Some(payment), "payment", "POST /v1/charges", Kind::Client);
        tape.tag(stripe, "server.address", "api.stripe.example");
        tape.tag(stripe, "http.request.method", "POST");
        let times_out = tape.rng.f64() < 0.01 + 0.25 * phase.powi(4);
        if times_out {
            tape.work(1_500_000);
            tape.fail(stripe, STRIPE_TIMEOUT);
            return Err(STRIPE_TIMEOUT);
        }
        tape.work((90_000.0 * drift) as u64);
        tape.tag(stripe, "http.response.status_code", 200);
        tape.end(stripe);
        if tape.rng.u32(..50) == 0 {
            Err(CARD_DECLINED)
        } else {
            Ok(())
        }
    })
}

/// The confirmation goes through a queue: producer here, consumer there, later.
fn confirm(tape: &mut Tape<'_>, caller: Mark) {
    let send = tape.begin(Some(caller), "checkout", "orders publish", Kind::Producer);
    tape.tag(send, "messaging.system", "kafka");
    tape.tag(send, "messaging.destination.name", "orders");
    tape.work(700);
    tape.end(send);
    let resume = tape.now_ns;
    tape.work(30_000);
    let receive = tape.begin(Some(send), "email", "orders process", Kind::Consumer);
    tape.tag(receive, "messaging.system", "kafka");
    tape.query(
        receive,
        "postgresql",
        "SELECT body FROM templates WHERE id = $1",
        2_000,
    );
    tape.work(10_000);
    tape.end(receive);
    // The customer does not wait for the mail.
    tape.now_ns = resume;
}
