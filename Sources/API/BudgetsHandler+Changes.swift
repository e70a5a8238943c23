internal import Budgets
internal import Governance
internal import HTTPServer
internal import JSON
internal import Ledger
internal import SQLite
internal import Usage
internal import Wire

// Budgets of the API: those of the configuration file can be read here and are changed there.
extension BudgetsHandler {
    typealias Respond = @Sendable (HTTPResponse) -> Void

    /// Scopes that come with one budget.
    private static let scopesShown = 100

    func budget(_ name: String) throws(APIError) -> HTTPResponse {
        guard let definition = services.budgets.definitions.first(where: { $0.name == name })
        else { throw AlertsHandler.unknown("budget", name) }
        let stored = services.governance.budgets.stored(name)
        let isConfigured = services.governance.budgets.isConfigured(name)
        var bytes: [UInt8] = []
        bytes.append("{\"name\":" as StaticString)
        bytes.appendJSONString(name)
        bytes.append(",\"source\":\"\(isConfigured ? "file" : "api")\",\"definition\":")
        bytes += definition.json
        bytes.append(",\"limits\":[" as StaticString)
        for (index, entry) in services.budgets.limits(of: name).enumerated() {
            bytes.append(index > 0 ? "," : "")
            bytes += Self.json(entry.scope, entry.limit)
        }
        bytes.append("],\"scopes\":[" as StaticString)
        let statuses = services.budgets.statuses(countMax: Self.scopesShown) { $0.name == name }
        for (index, status) in statuses.enumerated() {
            bytes.append(index > 0 ? "," : "")
            status.appendJSON(to: &bytes)
        }
        bytes.append("]}" as StaticString)
        guard let stored, !isConfigured else { return .json(bytes) }
        return .json(bytes, version: stored.version)
    }

    /// Creates or replaces a budget.
    func put(_ exchange: HTTPExchange, _ name: String, respond: @escaping Respond) {
        do throws(APIError) {
            let json = try exchange.takeJSON(bytesMax: AdmissionHandler.bodyBytesMax)
            let definition = try read(json, name)
            let (who, precondition) = (exchange.principal, Precondition(exchange))
            exchange.park()
            let services = services
            let (catalogue, log) = (services.governance.budgets, services.governance.log)
            change(respond) { database, now throws(SQLiteError) in
                if catalogue.isConfigured(name) { return .failure(Self.readOnly(name)) }
                let known = catalogue.stored(name)
                do throws(APIError) { try precondition.check(known?.version) } catch {
                    return .failure(error)
                }
                guard
                    case .changed(let definitions, let stored?) = try catalogue.put(
                        definition, in: database, now: now)
                else { return .failure(Self.full) }
                try services.budgets.redefine(definitions, in: database, now: now)
                try log.record(
                    GovernanceEvent(
                        at: now, who: who, action: known == nil ? .budgetCreate : .budgetUpdate,
                        target: "budgets/\(name)", before: known?.definition.json ?? [],
                        after: definition.json), in: database)
                return .success(
                    .json(
                        definition.json, status: known == nil ? 201 : 200, version: stored.version))
            }
        } catch { respond(error.response) }
    }

    private func read(_ json: JSONValue, _ name: String) throws(APIError) -> BudgetDefinition {
        guard var members = json.members else {
            throw APIError(
                status: 400, code: "malformed_json", message: "the body must be one JSON object")
        }
        if let other = members.first(where: { $0.key == "name" }), other.value.string != name {
            throw .field("name", "is another one than that of the path")
        }
        if !members.contains(where: { $0.key == "name" }) {
            members.append(("name", .string(name)))
        }
        var bytes: [UInt8] = []
        JSONValue.object(members).append(to: &bytes)
        switch services.governance.budgets.read(bytes) {
        case .definition(let definition): return definition
        case .faults(let faults):
            throw APIError(
                status: 400, code: "bad_budget", message: faults.joined(separator: "; "))
        }
    }

    func delete(_ exchange: HTTPExchange, _ name: String, respond: @escaping Respond) {
        let (who, precondition) = (exchange.principal, Precondition(exchange))
        exchange.park()
        let services = services
        let (catalogue, log) = (services.governance.budgets, services.governance.log)
        change(respond) { database, now throws(SQLiteError) in
            if catalogue.isConfigured(name) { return .failure(Self.readOnly(name)) }
            guard let known = catalogue.stored(name) else {
                return .failure(AlertsHandler.unknown("budget", name))
            }
            do throws(APIError) { try precondition.check(known.version) } catch {
                return .failure(error)
            }
            guard case .changed(let definitions, _) = try catalogue.delete(name, in: database)
            else { return .failure(Self.full) }
            try services.budgets.redefine(definitions, in: database, now: now)
            try log.record(
                GovernanceEvent(
                    at: now, who: who, action: .budgetDelete, target: "budgets/\(name)",
                    before: known.definition.json), in: database)
            return .success(.deleted)
        }
    }

    /// A change of definitions reads roll-ups, which hold everything right after a checkpoint.
    private func change(_ respond: @escaping Respond, _ change: @escaping APIServices.Change) {
        let (budgets, catalogue) = (services.budgets, services.governance.budgets)
        services.change(
            afterCheckpoint: true, respond: respond,
            ended: { isDurable in
                budgets.redefined(isDurable: isDurable)
                catalogue.changed(isDurable: isDurable)
            }, change)
    }

    private static func readOnly(_ name: String) -> APIError {
        APIError(
            status: 409, code: "read_only",
            message: "\(name) is in the configuration; change it there and reload. Limits of its "
                + "scopes can be set here: PUT /v1/budgets/\(name)/scopes/SCOPE")
    }

    private static let full = APIError(
        status: 409, code: "too_many_budgets",
        message: "there are \(BudgetCatalogue.countMax) budgets of the API already; delete some")
}

// Single scopes of any budget.
extension BudgetsHandler {
    private static let untilMax: Int64 = 3660 * 86_400

    /// The text of a scope as it stands in a path: as keys have it (`tenant=acme,user=u%201`), or
    /// that text percent-encoded as a whole.
    static func scope(_ path: String) -> String {
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count > 5 else { return "" }
        return parts[5].contains("=") ? String(parts[5]) : PercentEncoding.decode(parts[5]) ?? ""
    }

    fileprivate static func json(_ scope: String, _ limit: ScopeLimit) -> [UInt8] {
        JSONWriter.object { json in
            json.add("scope", scope)
            json.add("limit_usd", usd: limit.limit)
            if let until = limit.until { json.add("until", unixSeconds: until) }
        }
    }

    func setLimit(_ exchange: HTTPExchange, _ name: String, respond: @escaping Respond) {
        do throws(APIError) {
            let json = try exchange.takeJSON(bytesMax: AdmissionHandler.bodyBytesMax)
            try json.checkMembers(["limit_usd", "until", "reason"])
            guard let amount = json["limit_usd"], let limit = NanoUSD(limitOf: amount) else {
                throw .field("limit_usd", "must be an amount in dollars above 0, such as 100")
            }
            let now = services.ledger.now / 1_000_000_000
            let until = try json.time("until").map { $0 / 1_000_000_000 }
            if let until, until <= now || until > now + Self.untilMax {
                throw .field("until", "must be a time to come, within ten years")
            }
            change(
                exchange, name, ScopeLimit(limit: limit, until: until),
                reason: try json.text("reason", bytesMax: 1000), respond: respond)
        } catch { respond(error.response) }
    }

    func deleteLimit(_ exchange: HTTPExchange, _ name: String, respond: @escaping Respond) {
        change(exchange, name, nil, reason: "", respond: respond)
    }

    private func change(
        _ exchange: HTTPExchange, _ name: String, _ limit: ScopeLimit?, reason: String,
        respond: @escaping Respond
    ) {
        let (who, path) = (exchange.principal, Self.scope(exchange.path))
        exchange.park()
        let (budgets, log) = (services.budgets, services.governance.log)
        services.change(respond: respond) { database, now throws(SQLiteError) in
            let outcome = try budgets.setLimit(
                limit, budget: name, scope: path, in: database, now: now)
            guard case .done(let scope, let before, _) = outcome else {
                return .failure(Self.refusal(outcome, name, path))
            }
            try log.record(
                GovernanceEvent(
                    at: now, who: who, action: limit == nil ? .scopeLimitDelete : .scopeLimitSet,
                    target: "budgets/\(name)/scopes/\(scope)", reason: reason,
                    before: before.map { Self.json(scope, $0) } ?? [],
                    after: limit.map { Self.json(scope, $0) } ?? []), in: database)
            guard let limit else { return .success(.deleted) }
            return .success(.json(Self.json(scope, limit)))
        }
    }

    /// - Parameter isWhole: all scopes of the budget.
    func reset(
        _ exchange: HTTPExchange, _ name: String, isWhole: Bool, respond: @escaping Respond
    ) {
        do throws(APIError) {
            let json = try exchange.takeJSON(bytesMax: AdmissionHandler.bodyBytesMax)
            try json.checkMembers(["reason"])
            let reason = try json.text("reason", bytesMax: 1000)
            let who = exchange.principal
            let path = isWhole ? nil : Self.scope(exchange.path)
            exchange.park()
            let (budgets, log) = (services.budgets, services.governance.log)
            services.change(respond: respond) { database, now throws(SQLiteError) in
                let outcome = try budgets.reset(
                    budget: name, scope: path, in: database, now: now)
                guard case .done(let scope, _, let spent) = outcome else {
                    return .failure(Self.refusal(outcome, name, path ?? ""))
                }
                func spend(_ amount: NanoUSD) -> [UInt8] {
                    JSONWriter.object { $0.add("spent_usd", usd: amount) }
                }
                try log.record(
                    GovernanceEvent(
                        at: now, who: who, action: isWhole ? .budgetReset : .scopeReset,
                        target: "budgets/\(name)" + (isWhole ? "" : "/scopes/\(scope)"),
                        reason: reason, before: spend(spent), after: spend(.zero)), in: database)
                return .success(
                    .json(
                        JSONWriter.object { json in
                            json.add("budget", name)
                            if !isWhole { json.add("scope", scope) }
                            json.add("spent_before_usd", usd: spent)
                            json.add("status", "reset")
                        }))
            }
        } catch { respond(error.response) }
    }

    private static func refusal(
        _ outcome: ScopeChange, _ name: String, _ scope: String
    ) -> APIError {
        switch outcome {
        case .unknownBudget: return AlertsHandler.unknown("budget", name)
        case .badScope(let each):
            let form = each.isEmpty ? "all" : each.map { "\($0)=VALUE" }.joined(separator: ",")
            return APIError(
                status: 404, code: "not_found",
                message: "\"\(scope.prefix(200))\" is no scope of \(name); write \(form)")
        case .nothing, .done:
            return APIError(
                status: 404, code: "no_limit", message: "no limit is set for \(scope.prefix(200))")
        case .full:
            return APIError(
                status: 409, code: "too_many_limits",
                message: "\(name) has \(BudgetEngine.limitsMax) limits of single scopes already")
        }
    }
}

extension NanoUSD {
    private static let limitNanosMax: Int64 = 1_000_000_000_000_000_000

    /// A number or a text, read by its digits; at most a thousand million dollars.
    fileprivate init?(limitOf json: JSONValue) {
        guard let text = json.literal ?? json.string,
            case .value(let nanos) = NanoUSD.read(Array(text.utf8).span), nanos > 0,
            nanos <= Self.limitNanosMax
        else { return nil }
        self.init(nanos: nanos)
    }
}
