internal import Aggregation
internal import Governance
internal import HTTPServer
internal import JSON
internal import Ledger
internal import SQLite
internal import Usage
internal import Wire

/// `/v1/features`: feature tags that are registered, and those that events carry all the same.
struct FeaturesHandler: Sendable {
    let services: APIServices
    typealias Respond = @Sendable (HTTPResponse) -> Void

    /// Registered tags in their order, then the others that have occurred.
    func features(_ query: Query) throws(APIError) -> HTTPResponse {
        try query.allow(["limit", "cursor"])
        let limit = try query.limit()
        let start = try query.start(max: 10_000_000)
        let registered = try services.read { database throws(SQLiteError) in
            try FeatureTable.all(in: database)
        }
        let known = Set(registered.map(\.tag))
        let page =
            (registered.map { Listed(tag: $0.tag, feature: $0) }
            + occurred.filter { !known.contains($0) }.map { Listed(tag: $0, feature: nil) })
            .dropFirst(start).prefix(limit)
        return .page("features", Array(page), limit: limit) { entry, bytes in
            if let feature = entry.feature { return feature.appendJSON(to: &bytes) }
            bytes.append("{\"tag\":" as StaticString)
            bytes.appendJSONString(entry.tag)
            bytes.append(",\"registered\":false}" as StaticString)
        } cursor: { _ in
            "\(start + limit)"
        }
    }

    private struct Listed {
        let tag: String
        let feature: Feature?
    }

    /// Tags with spend, in their order.
    private var occurred: [String] {
        let ids = services.ledger.withState { state in
            state.rings.filter { $0.dimension == .feature }.flatMap { rings in
                (0..<rings.rings.count).map { rings.rings.name(of: $0) }
            }
        }
        return ids.map { services.names.text($0) }.sorted()
    }

    func feature(_ tag: String) throws(APIError) -> HTTPResponse {
        let feature = try services.read { database throws(SQLiteError) in
            try FeatureTable.find(tag, in: database)
        }
        guard let feature else { throw AlertsHandler.unknown("feature", tag) }
        return .json(Self.json(feature), version: feature.version)
    }

    private static func json(_ feature: Feature) -> [UInt8] {
        var bytes: [UInt8] = []
        feature.appendJSON(to: &bytes)
        return bytes
    }

    func create(_ exchange: HTTPExchange, respond: @escaping Respond) {
        do throws(APIError) {
            let json = try exchange.takeJSON(bytesMax: AdmissionHandler.bodyBytesMax)
            let tag = try json.text("tag", bytesMax: Limits.textBytes)
            guard !tag.isEmpty else { throw .field("tag", "is missing") }
            let draft = try Self.draft(json, tag: tag)
            write(draft, exchange, isCreation: true, respond: respond)
        } catch { respond(error.response) }
    }

    func put(_ exchange: HTTPExchange, _ tag: String, respond: @escaping Respond) {
        do throws(APIError) {
            let json = try exchange.takeJSON(bytesMax: AdmissionHandler.bodyBytesMax)
            guard tag.utf8.count <= Limits.textBytes else {
                throw .field("tag", "is longer than \(Limits.textBytes) bytes")
            }
            if let named = json["tag"], named.string != tag {
                throw .field("tag", "is another one than that of the path")
            }
            let draft = try Self.draft(json, tag: tag)
            write(draft, exchange, isCreation: false, respond: respond)
        } catch { respond(error.response) }
    }

    private static func draft(_ json: JSONValue, tag: String) throws(APIError) -> Feature {
        try json.checkMembers(["tag", "name", "owner", "description"])
        return Feature(
            tag: tag, name: try json.text("name", bytesMax: Feature.textBytesMax),
            owner: try json.text("owner", bytesMax: Feature.textBytesMax),
            description: try json.text("description", bytesMax: Feature.textBytesMax), created: 0,
            updated: 0)
    }

    private func write(
        _ draft: Feature, _ exchange: HTTPExchange, isCreation: Bool, respond: @escaping Respond
    ) {
        let (who, precondition) = (exchange.principal, Precondition(exchange))
        exchange.park()
        let log = services.governance.log
        services.change(respond: respond) { database, now throws(SQLiteError) in
            let known = try FeatureTable.find(draft.tag, in: database)
            if let known, isCreation {
                return .failure(
                    APIError(
                        status: 409, code: "exists",
                        message: "the feature \(known.tag.prefix(100)) is registered already"))
            }
            do throws(APIError) { try precondition.check(known?.version) } catch {
                return .failure(error)
            }
            if known == nil, try FeatureTable.count(in: database) >= Feature.countMax {
                return .failure(Self.full)
            }
            let feature = Feature(
                tag: draft.tag, name: draft.name, owner: draft.owner,
                description: draft.description, version: (known?.version ?? 0) + 1,
                created: known?.created ?? now, updated: now)
            try FeatureTable.write(feature, into: database)
            try log.record(
                GovernanceEvent(
                    at: now, who: who, action: known == nil ? .featureCreate : .featureUpdate,
                    target: "features/\(feature.tag)", before: known.map { Self.json($0) } ?? [],
                    after: Self.json(feature)), in: database)
            return .success(
                .json(
                    Self.json(feature), status: known == nil ? 201 : 200, version: feature.version))
        }
    }

    func delete(_ exchange: HTTPExchange, _ tag: String, respond: @escaping Respond) {
        let (who, precondition) = (exchange.principal, Precondition(exchange))
        exchange.park()
        let log = services.governance.log
        services.change(respond: respond) { database, now throws(SQLiteError) in
            guard let known = try FeatureTable.find(tag, in: database) else {
                return .failure(AlertsHandler.unknown("feature", tag))
            }
            do throws(APIError) { try precondition.check(known.version) } catch {
                return .failure(error)
            }
            try FeatureTable.delete(tag, from: database)
            try log.record(
                GovernanceEvent(
                    at: now, who: who, action: .featureDelete, target: "features/\(tag)",
                    before: Self.json(known)), in: database)
            return .success(.deleted)
        }
    }

    private static let full = APIError(
        status: 409, code: "too_many_features",
        message: "there are \(Feature.countMax) features already; delete some")
}
