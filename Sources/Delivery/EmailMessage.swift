internal import Alerts
internal import HTTPClient
internal import Usage
internal import Wire

/// A mail with a plain and an HTML part. https://www.rfc-editor.org/rfc/rfc5322
///
/// Nothing that comes from events stands in a header as it is: what is not plain ASCII without
/// control characters becomes Base64 in encoded words, so a name cannot begin a header of its own.
enum EmailMessage {
    private static let subjectMax = 300
    private static let keyMax = 500
    /// Bytes in one encoded word: with Base64, what is around it and the header's name less than
    /// the 78 characters that a line should have.
    private static let wordBytes = 30
    /// A plain text stays on its line up to here; a line may have 998.
    private static let plainMax = 200
    private static let lineCharacters = 76

    static func body(_ message: Message, _ mailbox: Receiver.Mailbox, now: Int64) -> [UInt8] {
        let domain = mailbox.from.split(separator: "@").last.map(String.init) ?? "costgauge"
        let boundary = "costgauge-\(message.alert.id)"
        var headers = [
            ("From", "costgauge <\(mailbox.from)>"),
            ("To", mailbox.to.joined(separator: ",\r\n ")),
            ("Subject", encoded(Cut.text(subject(message), subjectMax))),
            ("Date", MailDate.text(unixSeconds: now / 1_000_000_000)),
            ("Message-ID", "<\(message.id)@\(domain)>"),
        ]
        if message.status != .firing || message.round > 0 {
            // Mail programs show it below the first one.
            let first = "<\(message.alert.id)-firing@\(domain)>"
            headers += [("In-Reply-To", first), ("References", first)]
        }
        headers += [
            ("X-Costgauge-Dedup-Key", encoded(Cut.text(message.alert.dedupKey, keyMax))),
            ("Auto-Submitted", "auto-generated"), ("MIME-Version", "1.0"),
            ("Content-Type", "multipart/alternative; boundary=\"\(boundary)\""),
        ]
        var text = headers.map { "\($0): \($1)\r\n" }.joined() + "\r\n"
        for (type, content) in [("plain", plain(message)), ("html", html(message))] {
            text += "--\(boundary)\r\nContent-Type: text/\(type); charset=utf-8\r\n"
            text +=
                "Content-Transfer-Encoding: base64\r\n\r\n"
                + lines(Base64.encode(Array(content.utf8)))
        }
        return Array((text + "--\(boundary)--\r\n").utf8)
    }

    private static func subject(_ message: Message) -> String {
        "[\(message.alert.severity.word)] \(message.title)"
    }

    private static func plain(_ message: Message) -> String {
        var text = "\(message.title)\r\n\r\n\(message.summary)\r\n\r\n"
        for fact in facts(message) { text += "\(fact.0): \(fact.1)\r\n" }
        if let link = message.link { text += "\r\n\(link)\r\n" }
        if let runbook = message.runbook { text += "Runbook: \(runbook)\r\n" }
        return text
    }

    private static func html(_ message: Message) -> String {
        let color =
            message.status == .resolved
            ? "#1a7f4b"
            : message.alert.severity == .critical
                ? "#b3123f" : message.alert.severity == .warning ? "#8a5a00" : "#0b6bcb"
        var text = "<!DOCTYPE html><html><body style=\"font-family:sans-serif\">"
        text += "<h2 style=\"color:\(color)\">\(escape(message.title))</h2>"
        text += "<p>\(escape(message.summary))</p><table cellpadding=\"4\">"
        for fact in facts(message) {
            text += "<tr><th align=\"left\">\(escape(fact.0))</th><td>\(escape(fact.1))</td></tr>"
        }
        text += "</table>"
        for (title, url) in [("Open in costgauge", message.link), ("Runbook", message.runbook)] {
            if let url { text += "<p><a href=\"\(escape(url))\">\(title)</a></p>" }
        }
        return text + "</body></html>"
    }

    private static func facts(_ message: Message) -> [(String, String)] {
        Facts.of(message.alert)
            + message.top.map { ($0.dimension, "\($0.value) \(MoneyText.dollars($0.cost))") }
    }

    private static func escape(_ text: String) -> String {
        var escaped = ""
        for character in text.unicodeScalars {
            switch character {
            case "&": escaped += "&amp;"
            case "<": escaped += "&lt;"
            case ">": escaped += "&gt;"
            case "\"": escaped += "&quot;"
            default: escaped.unicodeScalars.append(character)
            }
        }
        return escaped
    }

    /// A header's text: as it is when it is short and plain, else in encoded words.
    /// https://www.rfc-editor.org/rfc/rfc2047
    static func encoded(_ text: String) -> String {
        let isPlain =
            text.utf8.count <= plainMax && !text.contains("=?")
            && text.utf8.allSatisfy { (0x20...0x7e).contains($0) }
        if isPlain { return text }
        var words: [String] = []
        var word: [UInt8] = []
        func end() {
            words.append("=?UTF-8?B?" + Base64.encode(word) + "?=")
            word.removeAll()
        }
        for character in text.unicodeScalars {
            let bytes = Array(String(character).utf8)
            if word.count + bytes.count > wordBytes { end() }
            word += bytes
        }
        if !word.isEmpty { end() }
        return words.joined(separator: "\r\n ")
    }

    private static func lines(_ base64: String) -> String {
        var text = ""
        var rest = base64[...]
        while !rest.isEmpty {
            text += rest.prefix(lineCharacters) + "\r\n"
            rest = rest.dropFirst(lineCharacters)
        }
        return text
    }
}

/// `Fri, 20 Nov 2026 10:00:00 +0000`.
enum MailDate {
    private static let days = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"]
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    static func text(unixSeconds: Int64) -> String {
        let seconds = max(0, unixSeconds)
        let day = Int(seconds / 86_400)
        let date = RFC3339.civil(daysSinceEpoch: day)
        let time = seconds % 86_400
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(days[day % 7]), \(date.day) \(months[date.month - 1]) \(date.year) "
            + "\(two(time / 3600)):\(two(time / 60 % 60)):\(two(time % 60)) +0000"
    }
}

extension Receiver.Mailbox {
    var envelope: MailEnvelope {
        MailEnvelope(
            from: from, to: to, user: user, password: password.reveal(), needsTLS: needsTLS)
    }

    /// A plain address: one that can stand in a header and an envelope without quotes.
    public static func isAddress(_ text: String) -> Bool {
        let parts = text.split(separator: "@", omittingEmptySubsequences: false)
        return parts.count == 2 && text.utf8.count <= 254
            && parts.allSatisfy { part in
                !part.isEmpty
                    && part.utf8.allSatisfy { byte in
                        (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                            || (0x61...0x7a).contains(byte)
                            || [0x2b, 0x2d, 0x2e, 0x3d, 0x5f].contains(byte)
                    }
            }
    }

    /// `smtp://host:port` or `smtps://host:port`.
    public static func isURL(_ text: String) -> Bool {
        guard text.hasPrefix("smtp://") || text.hasPrefix("smtps://") else { return false }
        let place = text.drop { $0 != ":" }.dropFirst(3)
        let parts = place.split(separator: ":", omittingEmptySubsequences: false)
        let isHost = parts.first.map { host in
            !host.isEmpty
                && host.utf8.allSatisfy { byte in
                    (0x30...0x39).contains(byte) || (0x41...0x5a).contains(byte)
                        || (0x61...0x7a).contains(byte) || [0x2d, 0x2e].contains(byte)
                }
        }
        guard isHost == true, parts.count <= 2 else { return false }
        return parts.count == 1 || (1...65_535).contains(Int(parts[1]) ?? 0)
    }
}
