public import Alerts
internal import Budgets
public import Delivery
internal import Usage
internal import YAML

/// Who is told of what.
public struct AlertSettings: Equatable, Sendable {
    public var receivers: [Receiver] = []
    public var routes: [AlertRouter.Route] = []

    public init() {}

    public var router: AlertRouter {
        AlertRouter(receivers: receivers.map(\.profile), routes: routes)
    }
}

extension Configuration {
    static let receiversMax = 100
    static let routesMax = 1000
    static let headersMax = 32

    /// What the `type` of a receiver may be.
    enum ReceiverType: String, CaseIterable {
        case slack, pagerduty, webhook, log
    }

    static func readAlerts(_ map: inout ConfigurationMap) -> AlertSettings {
        var settings = AlertSettings()
        var alerts = map.map("alerts")
        var names: Set<String> = []
        settings.receivers =
            alerts.maps("receivers", countMax: receiversMax) { entry in
                readReceiver(&entry, &names)
            } ?? []
        settings.routes =
            alerts.maps("routes", countMax: routesMax) { entry in
                readRoute(&entry, receivers: names)
            } ?? []
        alerts.finish()
        return settings
    }

    private static func readReceiver(
        _ map: inout ConfigurationMap, _ names: inout Set<String>
    ) -> Receiver? {
        let name = map.name("name")
        if let name, !names.insert(name).inserted {
            map.fault("name", "\"\(name)\" names another receiver already")
        }
        let types = ReceiverType.allCases.map(\.rawValue).joined(separator: ", ")
        let type = map.scalar("type", default: nil, expected: "one of \(types)") { text in
            ReceiverType(rawValue: text).map { ReceiverType?.some($0) }
        }
        if !map.has("type"), !map.reader.isListingKeys {
            map.missing("type", "write one of \(types)")
        }
        let profile = ReceiverProfile(
            name: name ?? "", minSeverity: map.severity("min_severity") ?? .info,
            sendsResolved: map.boolean("send_resolved", default: type == .pagerduty))
        var receiver = Receiver(profile: profile, kind: .log)
        receiver.timeoutMillis = Int(
            map.nanos("timeout", default: 15_000_000_000, in: 1_000_000_000...120_000_000_000)
                / 1_000_000)
        receiver.proxy = map.secretURL("proxy")
        receiver.headers = map.headers("headers", countMax: headersMax)
        guard let kind = readKind(&map, type), name != nil else { return nil }
        receiver.kind = kind
        return receiver
    }

    /// The keys of each type; those of other types are unknown to it.
    private static func readKind(
        _ map: inout ConfigurationMap, _ type: ReceiverType?
    ) -> Receiver.Kind? {
        let isListing = map.reader.isListingKeys
        let url = type != .log || isListing ? map.secretURL("url") : nil
        if type == .pagerduty || isListing {
            let key = map.secret("routing_key")
            if let key {
                return .pagerDuty(url: url?.reveal() ?? Receiver.pagerDutyURL, routingKey: key)
            }
            if !isListing, !map.has("routing_key"), !map.has("routing_key_file") {
                map.missing("routing_key", "write the integration key of a PagerDuty service")
            }
        }
        var secrets: [Secret] = []
        if type == .webhook || isListing {
            // Both sign until every receiver of the webhook knows the new one.
            for key in ["secret", "secret_previous"] {
                guard let secret = map.secret(key) else { continue }
                if !Receiver.isSigningSecret(secret) {
                    map.fault(
                        map.has(key) ? key : "\(key)_file",
                        "must be whsec_ and Base64 of 24 to 64 random bytes, as "
                            + "printf whsec_; openssl rand -base64 32 makes it")
                }
                secrets.append(secret)
            }
        }
        switch type {
        case .log: return .log
        case .slack, .webhook:
            guard let url else {
                if !map.has("url"), !map.has("url_file") {
                    map.missing("url", "write where its notifications are posted to")
                }
                return nil
            }
            return type == .slack ? .slack(url: url) : .webhook(url: url, secrets: secrets)
        case .pagerduty, nil: return nil
        }
    }

    private static func readRoute(
        _ map: inout ConfigurationMap, receivers: Set<String>
    ) -> AlertRouter.Route? {
        let known = ["kind", "severity", "budget", "receiver", "anomaly_kind"]
        let matches = map.texts("match", countMax: 16).compactMap { entry -> AlertRouter.Match? in
            guard known.contains(entry.name) || Dimension(entry.name) != nil else {
                map.reader.fault(
                    entry.mark, "\(map.key("match")).\(entry.name)",
                    "alerts have no such field; there are \(known.joined(separator: ", ")) and the "
                        + "dimensions of budgets and anomalies, such as tenant")
                return nil
            }
            checkMatch(entry, receivers, map)
            return .init(field: entry.name, pattern: Pattern(entry.values))
        }
        let to = map.list(
            "receivers", default: [String](), countMax: receiversMax,
            expected: "the name of a receiver; there are "
                + (receivers.isEmpty ? "none" : receivers.sorted().joined(separator: ", "))
        ) { receivers.contains($0) ? $0 : nil }
        if !map.has("receivers"), !map.reader.isListingKeys {
            map.missing("receivers", "write the names of those who are told; [] for nobody")
        }
        return AlertRouter.Route(
            match: matches, receivers: to, continues: map.boolean("continue", default: false))
    }
}

extension Configuration {
    /// A misspelt word would make a route that never matches.
    private static func checkMatch(
        _ entry: (name: String, values: [String], mark: YAMLMark), _ receivers: Set<String>,
        _ map: ConfigurationMap
    ) {
        let words: [String]
        switch entry.name {
        case "severity": words = Severity.words
        case "kind": words = AlertKind.allCases.map(\.rawValue)
        case "receiver": words = receivers.sorted()
        default: return
        }
        for value in entry.values {
            let word = value.hasPrefix("!") ? String(value.dropFirst()) : value
            guard !words.contains(where: { Pattern([word]).matches($0) }) else { continue }
            map.reader.fault(
                entry.mark, "\(map.key("match")).\(entry.name)",
                "\"\(word)\" matches none of \(words.joined(separator: ", "))")
        }
    }
}

extension ConfigurationMap {
    /// `https://host:port/path`, with a host, a port that exists and nothing that breaks a request.
    static func isURL(_ text: String) -> Bool {
        guard text.hasPrefix("http://") || text.hasPrefix("https://"),
            !text.utf8.contains(where: { $0 <= 0x20 || $0 >= 0x7f })
        else { return false }
        let rest = text.drop { $0 != ":" }.dropFirst(3)
        let authority = rest.prefix { $0 != "/" && $0 != "?" && $0 != "#" }
        let place = authority.split(separator: "@", omittingEmptySubsequences: false).last ?? ""
        if place.hasPrefix("["), place.hasSuffix("]") { return place.count > 2 }
        guard let colon = place.lastIndex(of: ":") else { return !place.isEmpty }
        let port = Int(place[place.index(after: colon)...]) ?? 0
        return colon != place.startIndex && (1...65_535).contains(port)
    }

    /// An address that may hold a secret: it is not quoted in faults.
    mutating func secretURL(_ name: String) -> Secret? {
        guard let secret = secret(name) else { return nil }
        guard Self.isURL(secret.reveal()) else {
            fault(
                has(name) ? name : "\(name)_file",
                "must be an address such as https://example.com/path")
            return nil
        }
        return secret
    }

    private static let ownHeaders: Set<String> = [
        "content-length", "content-type", "transfer-encoding", "connection", "host", "expect",
        "webhook-id", "webhook-timestamp", "webhook-signature",
    ]

    /// Further headers; their values may hold secrets.
    mutating func headers(_ name: String, countMax: Int) -> [Receiver.Header] {
        texts(name, countMax: countMax).compactMap { entry in
            let isToken =
                !entry.name.isEmpty
                && entry.name.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                        || (0x61...0x7a).contains(byte) || byte == 0x2d || byte == 0x5f
                }
            guard isToken, !Self.ownHeaders.contains(entry.name.lowercased()) else {
                reader.fault(
                    entry.mark, key(name),
                    "holds a name that is no header, or one that costgauge sets itself")
                return nil
            }
            guard let value = expand(entry.values.joined(separator: ", "), name) else { return nil }
            guard value.utf8.allSatisfy({ $0 >= 0x20 && $0 < 0x7f }) else {
                reader.fault(
                    entry.mark, "\(key(name)).\(entry.name)", "must be plain ASCII on one line")
                return nil
            }
            return Receiver.Header(name: entry.name, value: Secret(value))
        }
    }
}
