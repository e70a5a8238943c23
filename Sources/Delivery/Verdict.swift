internal import HTTPClient
internal import Usage
internal import Wire

/// What an answer means for a delivery.
enum Verdict: Equatable {
    /// `note`: what did not go well all the same.
    case delivered(status: Int, note: String? = nil)
    /// Worth another try. `pause`: what the receiver asked for.
    case failed(status: Int?, error: String, pauseNanos: UInt64?)
    /// The receiver will never take it.
    case refused(status: Int?, error: String)

    /// What a receiver may ask us to wait; longer is cut.
    static let pauseSecondsMax: Int64 = 3600
    /// Part of an answer that is told to people.
    private static let quoteMax = 200

    init(_ outcome: HTTPClientOutcome, from receiver: Receiver, now: Int64) {
        let response: HTTPClientResponse
        switch outcome {
        case .success(let answer): response = answer
        case .failure(.badURL):
            self = .refused(status: nil, error: HTTPClientFailure.badURL.description)
            return
        case .failure(let failure):
            self = .failed(status: nil, error: failure.description, pauseNanos: nil)
            return
        }
        let status = response.status
        let answer = Self.quote(response, receiver)
        if case .email = receiver.kind {
            self = Self.mail(status, answer)
            return
        }
        switch status {
        case 200..<300:
            // A proxy's own page also says 200.
            if case .slack = receiver.kind, response.body != Array("ok".utf8) {
                self = .failed(status: status, error: "did not answer ok\(answer)", pauseNanos: nil)
            } else if case .teams = receiver.kind, Self.tellsOfFailure(response) {
                self = .failed(
                    status: status, error: "answered \(status) with a failure\(answer)",
                    pauseNanos: nil)
            } else {
                self = .delivered(status: status)
            }
        case 408, 425, 429, 500...:
            let pause = status == 429 || status == 503 ? Self.pause(response, now: now) : nil
            self = .failed(status: status, error: "answered \(status)\(answer)", pauseNanos: pause)
        case 300..<400:
            self = .failed(
                status: status,
                error: "answered \(status): it redirects, which is not followed; set its new URL",
                pauseNanos: nil)
        default: self = .refused(status: status, error: "answered \(status)\(answer)")
        }
    }

    /// SMTP's codes: 4 is worth another try, 5 is not. What came with a success is what single
    /// recipients were refused for. https://www.rfc-editor.org/rfc/rfc5321#section-4.2.1
    private static func mail(_ status: Int, _ answer: String) -> Verdict {
        switch status {
        case ..<400:
            .delivered(
                status: status, note: answer.isEmpty ? nil : "refused for some recipients\(answer)")
        case ..<500:
            .failed(status: status, error: "answered \(status)\(answer)", pauseNanos: nil)
        default: .refused(status: status, error: "answered \(status)\(answer)")
        }
    }

    /// Old connectors of Teams answer 200 and say in words that nothing arrived.
    private static func tellsOfFailure(_ response: HTTPClientResponse) -> Bool {
        String(decoding: response.body, as: UTF8.self).contains("delivery failed")
    }

    /// What the answer says, unless it repeats something that must stay secret.
    private static func quote(_ response: HTTPClientResponse, _ receiver: Receiver) -> String {
        let whole = String(decoding: response.body, as: UTF8.self)
        if receiver.secretParts.contains(where: { whole.contains($0) }) {
            return ": its answer repeats a secret and is not shown"
        }
        let text = String(decoding: response.body.prefix(quoteMax), as: UTF8.self)
            .split(whereSeparator: \.isWhitespace).joined(separator: " ")
        return text.isEmpty ? "" : ": \(text)"
    }

    /// Seconds, or a date as RFC 9110 section 5.6.7 writes it.
    private static func pause(_ response: HTTPClientResponse, now: Int64) -> UInt64? {
        guard let text = response.retryAfter else { return nil }
        let seconds =
            text.allSatisfy { $0.isASCII && $0.isNumber }
            ? Int64(text) : HTTPDate.read(text).map { $0 - now / 1_000_000_000 }
        guard let seconds else { return nil }
        return UInt64(min(pauseSecondsMax, max(0, seconds))) * 1_000_000_000
    }
}

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
enum HTTPDate {
    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    /// Unix seconds.
    static func read(_ text: String) -> Int64? {
        let words = text.split(separator: " ")
        guard words.count == 6, words[5] == "GMT", let day = Int(words[1]),
            let month = months.firstIndex(of: String(words[2])), let year = Int(words[3]),
            (1970...2261).contains(year), (1...31).contains(day)
        else { return nil }
        let clock = words[4].split(separator: ":").compactMap { Int64($0) }
        guard clock.count == 3, clock[0] < 24, clock[1] < 60, clock[2] < 61 else { return nil }
        let days = RFC3339.daysSinceEpoch(year: year, month: month + 1, day: day)
        return Int64(days) * 86_400 + clock[0] * 3600 + clock[1] * 60 + clock[2]
    }
}

extension Receiver {
    /// Texts that must not show up anywhere: keys, and of addresses what comes after the host.
    fileprivate var secretParts: [String] {
        var parts: [String] = headers.map { $0.value.reveal() }
        func add(url: Secret) {
            let path = url.reveal().drop { $0 != ":" }.dropFirst(3).drop { $0 != "/" && $0 != "?" }
            parts += path.split { $0 == "/" || $0 == "?" || $0 == "&" || $0 == "=" }.map(
                String.init)
        }
        switch kind {
        case .slack(let url), .teams(let url), .alertmanager(let url): add(url: url)
        case .email(let mailbox): parts.append(mailbox.password.reveal())
        case .pagerDuty(_, let routingKey): parts.append(routingKey.reveal())
        case .webhook(let url, let secrets):
            add(url: url)
            parts += secrets.map { $0.reveal() }
        case .log: break
        }
        // Short ones are words and no secrets, and so is the beginning of Slack's paths.
        let words = ["services", "alertmanager", "workflows"]
        return parts.filter { $0.utf8.count >= 6 && !words.contains($0) }
    }
}
