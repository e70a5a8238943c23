internal import Crypto
internal import Governance
internal import HTTPServer
internal import JSON
internal import Ledger
internal import PriceFiles
internal import Pricing
internal import SQLite
internal import Synchronization
internal import Usage
internal import Wire

// `PUT /v1/prices`: rows with dates that hide those of files while they are in force.
extension PricesHandler {
    static let bodyBytesMax = 1 << 20

    private enum Outcome {
        case changed(StoredPrices, StoredPrices.Change)
        case refused(StoredPrices.Refusal)
        /// Somebody else changed them; the tag that holds now.
        case outdated(String)
    }

    /// Parks the request until the rows are durable and in force.
    func store(_ exchange: HTTPExchange, respond: @escaping @Sendable (HTTPResponse) -> Void) {
        do throws(APIError) {
            let rows = try Self.rows(try exchange.takeJSON(bytesMax: Self.bodyBytesMax))
            let (expected, who) = (exchange.header("If-Match"), exchange.principal)
            exchange.park()
            let services = services
            let outcome = Mutex<Outcome?>(nil)
            services.write { database throws(SQLiteError) in
                let now = services.ledger.now
                let result = try Self.apply(rows, expected, in: database, now: now)
                if case .changed(_, let change) = result {
                    for event in Self.events(change, by: who, at: now) {
                        try services.governance.log.record(event, in: database)
                    }
                }
                outcome.withLock { $0 = result }
            } completion: { isDurable in
                guard isDurable, let result = outcome.withLock({ $0 }) else {
                    return respond(APIServices.unwritable.response)
                }
                if case .changed(let prices, _) = result { services.prices.adopt(prices) }
                respond(Self.response(result))
            }
        } catch { respond(error.response) }
    }

    private static func apply(
        _ rows: [[PriceFields.Field]], _ expected: String?, in database: borrowing Database,
        now: Int64
    ) throws(SQLiteError) -> Outcome {
        var prices = try StoredPricesTable.read(from: database).prices
        let tag = tag(prices)
        if let expected, expected != "*", !expected.contains(tag) { return .outdated(tag) }
        let change: StoredPrices.Change
        do throws(StoredPrices.Refusal) { change = try prices.apply(rows) } catch {
            return .refused(error)
        }
        try StoredPricesTable.write(change, to: database, now: now)
        // As the next start reads them.
        return .changed(try StoredPricesTable.read(from: database).prices, change)
    }

    private static func events(
        _ change: StoredPrices.Change, by who: String, at now: Int64
    ) -> [GovernanceEvent] {
        func json(_ price: StoredPrice?) -> [UInt8] {
            price.map { PriceFields.json($0.fields) } ?? []
        }
        return zip(change.stored, change.replaced).map { price, before in
            GovernanceEvent(
                at: now, who: who, action: .priceStore, target: "prices/\(price.row.key)",
                before: json(before), after: json(price))
        }
            + change.withdrawn.map { gone in
                GovernanceEvent(
                    at: now, who: who, action: .priceWithdraw, target: "prices/\(gone.key)",
                    before: json(gone.before))
            }
    }

    /// Of all stored rows, quoted as a header has it.
    static func tag(_ prices: StoredPrices) -> String {
        var text: [UInt8] = []
        for price in prices.prices {
            for field in price.fields {
                text.appendJSONString(field.key)
                text.appendJSONString(field.text)
            }
            text.append(UInt8(ascii: "\n"))
        }
        var tag: [UInt8] = [UInt8(ascii: "\"")]
        for byte in Digest.sha256(text.span).prefix(8) {
            let digits = Array("0123456789abcdef".utf8)
            tag.append(digits[Int(byte >> 4)])
            tag.append(digits[Int(byte & 15)])
        }
        tag.append(UInt8(ascii: "\""))
        return tag.text
    }

    /// One row, a list of rows, or a list under `prices`.
    private static func rows(_ json: JSONValue) throws(APIError) -> [[PriceFields.Field]] {
        func bad(_ message: String) -> APIError {
            APIError(status: 400, code: "bad_price", message: message)
        }
        var json = json
        if let members = json.members, members.count == 1, members[0].key == "prices" {
            json = members[0].value
        }
        let items = json.array ?? [json]
        guard !items.isEmpty, items.first?.members?.isEmpty != true else {
            throw bad(
                "there is no price; send {\"provider\": ..., \"model\": ..., "
                    + "\"input_usd_per_mtok\": ...} or a list of such")
        }
        var rows: [[PriceFields.Field]] = []
        for (index, item) in items.enumerated() {
            guard let fields = PriceFields.fields(of: item) else {
                throw bad("prices[\(index)]: must be an object of single values")
            }
            rows.append(fields)
        }
        return rows
    }

    private static func response(_ outcome: Outcome) -> HTTPResponse {
        switch outcome {
        case .changed(let prices, let change):
            var response = HTTPResponse.json(
                JSONWriter.object { writer in
                    writer.add("stored", Int64(change.stored.count))
                    writer.add("withdrawn", Int64(change.withdrawn.count))
                    writer.array("warnings") { writer in
                        for warning in change.warnings { writer.add(nil, warning) }
                    }
                })
            response.headers.append((name: "ETag", value: tag(prices)))
            return response
        case .outdated(let tag):
            return APIError(
                status: 412, code: "changed",
                message: "the stored prices have changed since; read them again",
                headers: [(name: "ETag", value: tag)]
            ).response
        case .refused(let refusal): return error(refusal).response
        }
    }

    private static func error(_ refusal: StoredPrices.Refusal) -> APIError {
        func several(_ status: Int, _ code: String, _ faults: [String]) -> APIError {
            var list = JSONWriter()
            list.array { for fault in faults.prefix(100) { $0.add(nil, fault) } }
            return APIError(
                status: status, code: code,
                message: (faults.first ?? "") + "; nothing was changed",
                members: "\"faults\":\(list.bytes.text)")
        }
        switch refusal {
        case .bad(let faults): return several(400, "bad_price", faults)
        case .overlap(let faults): return several(409, "overlap", faults)
        case .notStored(let message):
            return APIError(status: 404, code: "not_stored", message: message)
        case .full:
            return APIError(
                status: 409, code: "too_many_prices",
                message: "at most \(StoredPrices.countMax) prices are stored; write a file and "
                    + "name it under pricing.files")
        }
    }
}
