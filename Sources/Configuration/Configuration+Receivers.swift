internal import Alerts
internal import Delivery
internal import Usage
internal import YAML

extension Configuration {
    static let recipientsMax = 50
    static let membersMax = 10

    /// What the `type` of a receiver may be.
    enum ReceiverType: String, CaseIterable {
        case slack, pagerduty, alertmanager, email, teams, webhook, log

        /// Whether it is told by default that an alert is over.
        var sendsResolved: Bool { self == .pagerduty || self == .alertmanager }
    }

    /// A receiver; of a cluster one for each member. The further members are named `name#2` and so
    /// on, which nobody can write.
    ///
    /// - Parameter names: what each name stands for.
    static func readReceiver(
        _ map: inout ConfigurationMap, _ wording: Receiver.Wording,
        _ names: inout [String: [String]]
    ) -> [Receiver]? {
        let name = map.name("name")
        if let name, names.updateValue([name], forKey: name) != nil {
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
            sendsResolved: map.boolean("send_resolved", default: type?.sendsResolved ?? false),
            sendsAcknowledged: type == .pagerduty, groupsAlerts: type == .alertmanager)
        var receiver = Receiver(profile: profile, kind: .log)
        receiver.timeoutMillis = Int(
            map.nanos("timeout", default: 15_000_000_000, in: 1_000_000_000...120_000_000_000)
                / 1_000_000)
        if type != .email { readHTTP(&map, &receiver) }
        if type != .log || map.reader.isListingKeys {
            let path = map.string("ca_file", default: "")
            receiver.authorities = path.isEmpty ? nil : path
        }
        receiver.wording = map.wording(wording, isOne: true)
        guard let kinds = readKinds(&map, type), let name else { return nil }
        names[name] = kinds.indices.map { $0 == 0 ? name : "\(name)#\($0 + 1)" }
        return kinds.enumerated().map { index, kind in
            var member = receiver
            member.kind = kind
            member.profile.name = index == 0 ? name : "\(name)#\(index + 1)"
            return member
        }
    }

    private static func readHTTP(_ map: inout ConfigurationMap, _ receiver: inout Receiver) {
        receiver.proxy = map.secretURL("proxy")
        receiver.headers = map.headers("headers", countMax: headersMax)
    }

    /// The keys of each type; those of other types are unknown to it.
    private static func readKinds(
        _ map: inout ConfigurationMap, _ type: ReceiverType?
    ) -> [Receiver.Kind]? {
        let isListing = map.reader.isListingKeys
        if type == .email || isListing {
            let mailbox = readMailbox(&map)
            if !isListing { return mailbox.map { [.email($0)] } }
        }
        if type == .alertmanager || isListing {
            let members = readMembers(&map)
            if !isListing { return members }
        }
        let url = type != .log || isListing ? map.secretURL("url") : nil
        if type == .pagerduty || isListing {
            let key = map.secret("routing_key")
            if let key {
                return [.pagerDuty(url: url?.reveal() ?? Receiver.pagerDutyURL, routingKey: key)]
            }
            if !isListing, !map.has("routing_key"), !map.has("routing_key_file") {
                map.missing("routing_key", "write the integration key of a PagerDuty service")
            }
        }
        let secrets = type == .webhook || isListing ? readSecrets(&map) : []
        if type == .log { return [.log] }
        guard let type, type != .pagerduty else { return nil }
        guard let url else {
            if !map.has("url"), !map.has("url_file") {
                map.missing("url", "write where its notifications are posted to")
            }
            return nil
        }
        switch type {
        case .slack: return [.slack(url: url)]
        case .teams: return [.teams(url: url)]
        default: return [.webhook(url: url, secrets: secrets)]
        }
    }

    private static func readSecrets(_ map: inout ConfigurationMap) -> [Secret] {
        // Both sign until every receiver of the webhook knows the new one.
        ["secret", "secret_previous"].compactMap { key in
            guard let secret = map.secret(key) else { return nil }
            if !Receiver.isSigningSecret(secret) {
                map.fault(
                    map.has(key) ? key : "\(key)_file",
                    "must be whsec_ and Base64 of 24 to 64 random bytes, as "
                        + "printf whsec_; openssl rand -base64 32 makes it")
            }
            return secret
        }
    }

    /// Each member of a cluster is told by itself: they do not share what one is sent.
    private static func readMembers(_ map: inout ConfigurationMap) -> [Receiver.Kind]? {
        let single = map.secretURL("url")
        let expected = "an address such as http://alertmanager-0:9093"
        let several = map.list(
            "urls", default: [String](), countMax: membersMax, expected: expected
        ) { ConfigurationMap.isURL($0) ? $0 : nil }
        if map.has("urls"), single != nil {
            map.fault("urls", "url is set too; keep one of them")
            return nil
        }
        let urls = single.map { [$0] } ?? several.map { Secret($0) }
        guard !urls.isEmpty else {
            if !map.has("url"), !map.has("url_file"), !map.has("urls"), !map.reader.isListingKeys {
                map.missing("url", "write \(expected), or urls for all members of a cluster")
            }
            return nil
        }
        return urls.map { .alertmanager(url: $0) }
    }

    private static func readMailbox(_ map: inout ConfigurationMap) -> Receiver.Mailbox? {
        let address = "an address such as finops@example.com"
        let url = map.scalar(
            "url", default: String?.none,
            expected: "the address of a mail server such as smtp://mail.example.com:587"
        ) { Receiver.Mailbox.isURL($0) ? .some($0) : nil }
        let from = map.scalar("from", default: String?.none, expected: address) {
            Receiver.Mailbox.isAddress($0) ? .some($0) : nil
        }
        let to = map.list("to", default: [String](), countMax: recipientsMax, expected: address) {
            Receiver.Mailbox.isAddress($0) ? $0 : nil
        }
        let user = map.string("username", default: "", bytesMax: 254)
        let password = map.secret("password")
        let needsTLS = map.boolean("require_tls", default: true)
        guard !map.reader.isListingKeys else { return nil }
        for (key, hint) in [
            ("url", "write a mail server, such as smtp://mail.example.com:587"),
            ("from", "write the sender's address"), ("to", "write a list of addresses"),
        ] where !map.has(key) { map.missing(key, hint) }
        if map.has("to"), to.isEmpty { map.fault("to", "must name at least one address") }
        if user.isEmpty != (password == nil) {
            map.fault(
                user.isEmpty ? map.has("password") ? "password" : "password_file" : "username",
                "username and password go together")
        }
        if !needsTLS, password != nil {
            map.fault("require_tls", "a password is sent over TLS only; leave this out")
        }
        guard let url, let from, !to.isEmpty else { return nil }
        return Receiver.Mailbox(
            url: url, from: from, to: to, user: user, password: password ?? Secret(""),
            needsTLS: needsTLS)
    }

    static func readHeartbeat(_ map: inout ConfigurationMap) -> HeartbeatSettings? {
        var heartbeat = map.map("heartbeat")
        defer { heartbeat.finish() }
        let url = heartbeat.secretURL("url")
        let interval = heartbeat.nanos(
            "interval", default: HeartbeatSettings.intervalNanos,
            in: 10_000_000_000...3_600_000_000_000)
        return url.map { HeartbeatSettings(url: $0, intervalNanos: interval) }
    }
}

extension ConfigurationMap {
    /// Templates of `title`, `text` and, for all receivers, of `runbook_url`.
    mutating func wording(_ common: Receiver.Wording, isOne: Bool = false) -> Receiver.Wording {
        var wording = common
        if let title = template("title") { wording.title = title }
        if let text = template("text") { wording.text = text }
        if !isOne, let runbook = template("runbook_url") {
            wording.runbook = runbook
            let text = string("runbook_url", default: "")
            if !text.hasPrefix("http://"), !text.hasPrefix("https://") {
                fault("runbook_url", "must begin with https:// or http://")
            }
        }
        return wording
    }

    private mutating func template(_ name: String) -> Template? {
        let text = string(name, default: "")
        guard !text.isEmpty else { return nil }
        do throws(Template.Fault) {
            return try Template(text)
        } catch {
            fault(name, error.description)
            return nil
        }
    }
}
