public import Alerts
internal import Budgets
public import Delivery
internal import Usage
internal import YAML

/// Who is told of what.
public struct AlertSettings: Equatable, Sendable {
    public var receivers: [Receiver] = []
    public var routes: [AlertRouter.Route] = []
    /// New alerts to one receiver within a minute past which the rest is told as one; 0: never.
    public var stormLimit = 0
    public var heartbeat: HeartbeatSettings?
    /// The shortest silence of a source that is told; 0: none is.
    public var stalledNanos: Int64 = 3600 * 1_000_000_000
    public var silences: [Silence] = []

    public init() {}

    public var router: AlertRouter {
        AlertRouter(
            receivers: receivers.map(\.profile), routes: routes, stormLimit: stormLimit)
    }
}

extension Configuration {
    static let receiversMax = 100
    static let routesMax = 1000
    static let headersMax = 32
    /// Shorter, and a repeat would be a storm of its own.
    static let repeatNanosMin: Int64 = 60_000_000_000

    static func readAlerts(_ map: inout ConfigurationMap) -> AlertSettings {
        var settings = AlertSettings()
        var alerts = map.map("alerts")
        let wording = alerts.wording(Receiver.Wording())
        var names: [String: [String]] = [:]
        settings.receivers =
            alerts.maps("receivers", countMax: receiversMax) { entry in
                readReceiver(&entry, wording, &names)
            }?.flatMap { $0 } ?? []
        settings.routes =
            alerts.maps("routes", countMax: routesMax) { entry in
                readRoute(&entry, receivers: names)
            } ?? []
        settings.stormLimit = alerts.integer("storm_limit", default: 0, in: 0...10_000)
        settings.stalledNanos = alerts.nanos(
            "ingest_stalled_after", default: settings.stalledNanos, in: 0...(30 * nanosPerDay))
        settings.heartbeat = readHeartbeat(&alerts)
        settings.silences = alerts.silences("silences", receivers: names.keys.sorted())
        alerts.finish()
        return settings
    }

    private static func readRoute(
        _ map: inout ConfigurationMap, receivers: [String: [String]]
    ) -> AlertRouter.Route? {
        let known = Alert.fields
        let names = receivers.keys.sorted()
        let matches = map.texts("match", countMax: 16).compactMap { entry -> AlertRouter.Match? in
            guard known.contains(entry.name) || Dimension(entry.name) != nil else {
                map.reader.fault(
                    entry.mark, "\(map.key("match")).\(entry.name)",
                    "alerts have no such field; there are \(known.joined(separator: ", ")) and the "
                        + "dimensions of budgets and anomalies, such as tenant")
                return nil
            }
            checkMatch(entry, names, map)
            return .init(field: entry.name, pattern: Pattern(entry.values))
        }
        let to = map.list(
            "receivers", default: [[String]](), countMax: receiversMax,
            expected: "the name of a receiver; there are "
                + (names.isEmpty ? "none" : names.joined(separator: ", "))
        ) { receivers[$0] }
        if !map.has("receivers"), !map.reader.isListingKeys {
            map.missing("receivers", "write the names of those who are told; [] for nobody")
        }
        let repeats = map.nanos("repeat_interval", default: 0, in: 0...(30 * nanosPerDay))
        if repeats > 0, repeats < repeatNanosMin {
            map.fault("repeat_interval", "must be 1m or more, or 0s for no repeats")
        }
        return AlertRouter.Route(
            match: matches, receivers: to.flatMap { $0 },
            continues: map.boolean("continue", default: false), repeatNanos: repeats)
    }
}

extension Configuration {
    /// A misspelt word would make a route that never matches.
    static func checkMatch(
        _ entry: (name: String, values: [String], mark: YAMLMark),
        _ receivers: [String],
        _ map: ConfigurationMap
    ) {
        let words: [String]
        switch entry.name {
        case "severity": words = Severity.words
        case "kind": words = AlertKind.allCases.map(\.rawValue)
        case "receiver": words = receivers
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
