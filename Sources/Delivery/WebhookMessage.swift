internal import Alerts
internal import Crypto
public import Usage
internal import Wire

/// Standard Webhooks.
/// https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
enum WebhookMessage {
    static func body(_ message: Message) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.append("{\"type\":" as StaticString)
        bytes.appendJSONString(message.alert.type)
        bytes.append(",\"timestamp\":" as StaticString)
        let moment = message.alert.endsAt ?? message.alert.startsAt
        bytes.appendJSONString(RFC3339.text(unixNanos: moment / 1_000_000 * 1_000_000))
        bytes.append(",\"data\":" as StaticString)
        message.alert.appendJSON(
            to: &bytes, top: message.top, link: message.link, runbook: message.runbook)
        bytes.append(UInt8(ascii: "}"))
        return bytes
    }

    /// The id stays the same on every attempt; the time and with it the signature are new.
    static func headers(
        _ message: Message, _ body: [UInt8], secrets: [Secret], unixSeconds: Int64
    ) -> [(name: String, value: String)] {
        let id = message.id
        var headers = [
            (name: "webhook-id", value: id), (name: "webhook-timestamp", value: "\(unixSeconds)"),
        ]
        let signed = Array("\(id).\(unixSeconds).".utf8) + body
        let signatures = secrets.compactMap { key(of: $0) }.map { key in
            "v1," + Base64.encode(Digest.hmacSHA256(key: key.span, signed.span))
        }
        if !signatures.isEmpty {
            headers.append((name: "webhook-signature", value: signatures.joined(separator: " ")))
        }
        return headers
    }

    /// `whsec_` and Base64, or Base64 alone; nil when it is neither.
    static func key(of secret: Secret) -> [UInt8]? {
        let text = secret.reveal()
        let digits = text.hasPrefix("whsec_") ? String(text.dropFirst(6)) : text
        return Base64.decode(digits)
    }
}

extension Receiver {
    /// True for a text that webhooks can be signed with.
    public static func isSigningSecret(_ secret: Secret) -> Bool {
        (24...64).contains(WebhookMessage.key(of: secret)?.count ?? 0)
    }

    public static let pagerDutyURL = PagerDutyMessage.publicURL
}
