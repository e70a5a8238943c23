import CCurl

// A request that is a mail. https://curl.se/libcurl/c/smtp-mail.html
extension Transfer {
    /// Refusals that are kept of what the server says.
    private static let repliesBytesMax = 500

    func prepare(_ mail: MailEnvelope, _ easy: UnsafeMutableRawPointer) -> Bool {
        for address in mail.to {
            unsafe recipients = curl_slist_append(recipients, address)
        }
        var texts: [(CURLoption, String)] = [
            (CURLOPT_URL, request.url), (CURLOPT_PROTOCOLS_STR, "smtp,smtps"),
            (CURLOPT_MAIL_FROM, mail.from), (CURLOPT_PROXY, ""),
        ]
        if !mail.user.isEmpty {
            texts += [(CURLOPT_USERNAME, mail.user), (CURLOPT_PASSWORD, mail.password)]
        }
        for (option, text) in texts {
            guard unsafe costgauge_curl_set_text(easy, option, text) == CURLE_OK else {
                return false
            }
        }
        let use = mail.needsTLS ? costgauge_curl_tls_always() : costgauge_curl_tls_if_offered()
        let numbers: [(CURLoption, Int)] = [
            (CURLOPT_UPLOAD, 1), (CURLOPT_USE_SSL, use), (CURLOPT_INFILESIZE, request.body.count),
        ]
        for (option, number) in numbers { unsafe costgauge_curl_set_long(easy, option, number) }
        // One address that is gone must not keep the others from their mail.
        unsafe costgauge_curl_let_recipients_fail(easy)
        unsafe costgauge_curl_set_pointer(easy, CURLOPT_MAIL_RCPT, recipients)
        unsafe costgauge_curl_set_sink(easy, CURLOPT_READFUNCTION, giveMail)
        unsafe costgauge_curl_set_pointer(
            easy, CURLOPT_READDATA, Unmanaged.passUnretained(self).toOpaque())
        return true
    }

    /// The next part of the mail; 0 at its end.
    func give(_ room: UnsafeMutableBufferPointer<UInt8>) -> Int {
        let part = request.body[sent...].prefix(room.count)
        for (offset, byte) in part.enumerated() { unsafe room[offset] = byte }
        sent += part.count
        return part.count
    }

    /// Keeps what the server refuses.
    func receiveReply(_ line: String) {
        let bytes = Array(line.utf8)
        guard bytes.count >= 4, bytes[0] == UInt8(ascii: "4") || bytes[0] == UInt8(ascii: "5"),
            bytes[1...2].allSatisfy({ (0x30...0x39).contains($0) }),
            body.count + bytes.count <= Self.repliesBytesMax
        else { return }
        body += bytes
    }

    /// Nil: as with any other transfer.
    func mailOutcome(_ code: CURLcode, status: Int) -> HTTPClientOutcome? {
        switch code {
        case CURLE_OK: .success(HTTPClientResponse(status: 250, body: body))
        case CURLE_LOGIN_DENIED:
            .success(HTTPClientResponse(status: status >= 400 ? status : 535, body: body))
        case CURLE_USE_SSL_FAILED: .failure(.tls)
        case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CONNECT_ERROR, CURLE_OPERATION_TIMEDOUT: nil
        default:
            status >= 400 ? .success(HTTPClientResponse(status: status, body: body)) : nil
        }
    }
}

private func giveMail(
    _ room: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int,
    _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let room = unsafe room, let context = unsafe context else { return 0 }
    let transfer = unsafe Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    return unsafe room.withMemoryRebound(to: UInt8.self, capacity: size * count) {
        unsafe transfer.give(UnsafeMutableBufferPointer(start: $0, count: size * count))
    }
}
