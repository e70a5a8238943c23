internal import HTTPServer
internal import JSON
public import Ledger
public import PriceFiles
public import Pricing
public import SQLite
internal import Synchronization
internal import Threading
internal import Usage
internal import Wire

/// What `/v1/prices` needs.
public struct PriceServices: Sendable {
    let book: @Sendable () -> PriceBook
    let stored: @Sendable () -> StoredPrices
    /// Takes stored rows into force.
    let adopt: @Sendable (StoredPrices) -> Void
    let repricing: Repricing
    /// Ends what was told of models that are without a price no more.
    let endAlerts: @Sendable (borrowing Database) throws(SQLiteError) -> Void
    /// One run at a time: two would look at the same events.
    let runs = OneRun()

    public init(
        book: @escaping @Sendable () -> PriceBook, stored: @escaping @Sendable () -> StoredPrices,
        adopt: @escaping @Sendable (StoredPrices) -> Void, repricing: Repricing,
        endAlerts: @escaping @Sendable (borrowing Database) throws(SQLiteError) -> Void
    ) {
        self.book = book
        self.stored = stored
        self.adopt = adopt
        self.repricing = repricing
        self.endAlerts = endAlerts
    }
}

/// A thread for one run at a time; the next run joins the one before.
final class OneRun: Sendable {
    private struct State {
        var isRunning = false
        var thread: NamedThread?
    }

    private let state = Mutex(State())

    /// False while another one runs. The run is over before its caller hears of it: who asks again
    /// at once finds nothing running.
    func start(
        _ name: String, _ run: @escaping @Sendable () -> HTTPResponse,
        respond: @escaping @Sendable (HTTPResponse) -> Void
    ) -> Bool {
        state.withLock { state in
            guard !state.isRunning else { return false }
            state.isRunning = true
            state.thread?.join()
            state.thread = NamedThread(name) { [self] in
                let response = run()
                self.state.withLock { $0.isRunning = false }
                respond(response)
            }
            return true
        }
    }
}

/// `/v1/prices`: the rows in force, and pricing stored events again.
struct PricesHandler: Sendable {
    let services: APIServices

    func prices(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["provider", "model", "list", "limit", "cursor"])
        let limit = try query.limit()
        let book = services.prices.book()
        var start = 0
        if let cursor = query.text("cursor") {
            guard let index = Int(cursor), index >= 0 else { throw Query.badCursor }
            start = index
        }
        let provider = query.text("provider").map { PriceRow.canonicalProvider($0) }
        let list = query.text("list")
        let model = query.text("model").map { $0.lowercased() }
        var found: [Int] = []
        for index in book.rows.indices.dropFirst(start) where found.count < limit {
            let row = book.rows[index]
            guard provider.map({ row.provider == $0 }) ?? true,
                list.map({ book.origins[row.origin].name == $0 }) ?? true,
                model.map({ row.model.lowercased() == $0 || row.key.lowercased() == $0 }) ?? true
            else { continue }
            found.append(index)
        }
        var response = HTTPResponse.page("prices", found, limit: limit) { index, bytes in
            Self.append(book.rows[index], of: book, to: &bytes)
        } cursor: {
            "\($0 + 1)"
        }
        response.headers.append((name: "ETag", value: Self.tag(services.prices.stored())))
        return response
    }

    private static func append(_ row: PriceRow, of book: PriceBook, to bytes: inout [UInt8]) {
        var writer = JSONWriter()
        writer.object { writer in
            writer.add("provider", row.provider)
            writer.add("model", row.model)
            writer.add("mode", row.mode)
            writer.add("list", book.origins[row.origin].name)
            func day(_ key: StaticString, _ seconds: Int64) {
                if seconds == .min || seconds == .max { return }
                writer.add(key, RFC3339.text(unixNanos: seconds * 1_000_000_000))
            }
            day("valid_from", row.validFrom)
            day("valid_to", row.validTo)
            writer.object("usd") { writer in
                for rate in row.rates { writer.add(name: rate.key.priceFileKey, rate.usd.decimal) }
            }
        }
        bytes += writer.bytes
    }

    /// Answers when all differences are booked, or are told.
    func reprice(
        _ body: [UInt8], _ query: Query, respond: @escaping @Sendable (HTTPResponse) -> Void
    ) {
        let request: Repricing.Request
        do throws(APIError) { request = try Self.request(body, query) } catch {
            return respond(error.response)
        }
        let services = services
        let run: @Sendable () -> HTTPResponse = {
            do throws(APIError) {
                let report = try services.read { database throws(SQLiteError) in
                    let report = try services.prices.repricing.run(request, on: database)
                    if !request.isDryRun { try services.prices.endAlerts(database) }
                    return report
                }
                return Self.response(request, report)
            } catch { return error.response }
        }
        let isStarted = services.prices.runs.start("reprice", run, respond: respond)
        guard !isStarted else { return }
        respond(
            APIError(
                status: 409, code: "busy", message: "another run is pricing events again",
                headers: [("Retry-After", "5")]
            ).response)
    }

    private static let requestKeys = ["since", "until", "dry_run"]

    /// `{"since": ..., "until": ..., "dry_run": true}` as a body or as parameters. What is not
    /// understood is refused: left aside, it would book more than was meant.
    private static func request(
        _ body: [UInt8], _ query: Query
    ) throws(APIError) -> Repricing.Request {
        try query.allow(requestKeys)
        let members = try members(body)
        for (key, _) in members where query.text(key) != nil {
            throw bad("\(key): stands in the body and as a parameter; keep one")
        }
        func time(_ key: String) throws(APIError) -> Int64? {
            let member = members.first { $0.key == key }?.value
            guard member != nil || query.text(key) != nil else { return nil }
            let text = query.text(key) ?? member?.string
            guard let seconds = text.flatMap({ PriceDay.start(of: $0) }) else {
                let shown = text.map { "\"\($0.prefix(100))\"" } ?? "it"
                throw bad(
                    "\(key): \(shown) is no day such as 2026-11-20 and no RFC 3339 time")
            }
            return seconds * 1_000_000_000
        }
        var request = Repricing.Request(isDryRun: false)
        request.since = try time("since") ?? request.since
        request.until = try time("until") ?? request.until
        if let member = members.first(where: { $0.key == "dry_run" })?.value {
            guard let isDryRun = member.boolean else {
                throw bad("dry_run: must be true or false")
            }
            request.isDryRun = isDryRun
        } else if let text = query.text("dry_run") {
            guard ["true", "false"].contains(text) else {
                throw bad("dry_run: \"\(text.prefix(100))\" is not true or false")
            }
            request.isDryRun = text == "true"
        }
        return request
    }

    private static func members(
        _ body: [UInt8]
    ) throws(APIError) -> [(key: String, value: JSONValue)] {
        if body.isEmpty { return [] }
        let json: JSONValue
        do throws(JSONFault) { json = try JSONValue.read(body) } catch {
            throw bad("the body is not JSON: \(error.message)")
        }
        guard let members = json.members else {
            throw bad("the body must be an object with " + requestKeys.joined(separator: ", "))
        }
        var known: Set<String> = []
        for (key, _) in members {
            guard requestKeys.contains(key) else {
                throw bad(
                    "there is no \"\(key.prefix(100))\"; there are "
                        + requestKeys.joined(separator: ", "))
            }
            guard known.insert(key).inserted else { throw bad("\(key): stands there twice") }
        }
        return members.filter { $0.value != .null }.map { ($0.key, $0.value) }
    }

    private static func bad(_ message: String) -> APIError {
        APIError(status: 400, code: "bad_parameter", message: message)
    }

    /// Models in an answer; the dearest differences come first.
    private static let modelsMax = 200

    private static func response(
        _ request: Repricing.Request, _ report: Repricing.Report
    ) -> HTTPResponse {
        func usd(_ nanos: Int64) -> String { NanoUSD(nanos: nanos).decimal }
        var writer = JSONWriter()
        writer.object { writer in
            writer.add("dry_run", request.isDryRun)
            writer.add("events", Int64(report.looked))
            writer.add("adjusted", Int64(report.adjusted))
            writer.add("still_unpriced", Int64(report.unpriced))
            if let failure = report.failure { writer.add("failure", failure) }
            writer.array("models") { writer in
                for model in report.models.prefix(modelsMax) {
                    writer.object { writer in
                        writer.add("provider", model.provider)
                        writer.add("model", model.model)
                        writer.add("events", Int64(model.events))
                        writer.add("before_usd", usd(model.before))
                        writer.add("after_usd", usd(model.after))
                        writer.add("difference_usd", usd(model.after - model.before))
                    }
                }
            }
        }
        return .json(writer.bytes, status: report.failure == nil ? 200 : 503)
    }
}
