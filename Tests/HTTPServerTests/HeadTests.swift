import TestSupport
import Testing

@testable import HTTPServer

@Suite(.timeLimit(.minutes(1))) struct HeadTests {
    @Test func `a head of 15 KiB is read and one of 20 KiB is refused`() throws {
        let parking = try ParkingServer()
        func status(_ bytes: Int) throws -> Int {
            try parking.client().request(
                "GET", "/now", headers: ["Cookie": String(repeating: "c", count: bytes)]
            ).status
        }
        #expect(try status(15 * 1024) == 200)
        #expect(try status(20 * 1024) == 431)
    }

    @Test(arguments: [
        "Content-Length: 1025\r\nExpect: 100-continue",
        "Content-Length: \(HTTPServer.drainBytesMax + 1)",
    ])
    func `a body that is too large is answered before it comes`(headers: String) throws {
        let parking = try ParkingServer()
        let client = try parking.client()
        try client.send(Array("POST /now HTTP/1.1\r\nHost: a\r\n\(headers)\r\n\r\n".utf8))
        #expect(try client.answer().text == "/now")
    }
}
