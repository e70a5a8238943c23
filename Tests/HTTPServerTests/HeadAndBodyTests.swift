import TestSupport
import Testing

@testable import HTTPServer

@Suite(.timeLimit(.minutes(1))) struct HeadTests {
    @Test(arguments: [("Cookie", 15, 20), ("Baggage", 30, 40)])
    func `a head is read up to a size and refused above it`(
        name: String, read: Int, refused: Int
    ) throws {
        let parking = try ParkingServer()
        func status(kibibytes: Int) throws -> Int {
            let value = String(repeating: "c", count: kibibytes * 1024)
            return try parking.client().request("GET", "/now", headers: [name: value]).status
        }
        #expect(try status(kibibytes: read) == 200)
        #expect(try status(kibibytes: refused) == 431)
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

@Suite(.timeLimit(.minutes(1))) struct LongAnswerTests {
    /// Around the length from which bodies are lent.
    @Test(arguments: [65_535, 65_536, 2_000_000])
    func `a long answer arrives whole`(count: Int) throws {
        let parking = try ParkingServer()
        let client = try parking.client()
        for _ in 0..<3 {
            #expect(
                try client.request("GET", "/long/\(count)").body == ParkingHandler.bytes(count))
        }
    }

    @Test func `clients that leave in the middle of a long answer leave nothing behind`() throws {
        let parking = try ParkingServer()
        for _ in 0..<20 {
            let client = try parking.client()
            try client.send(Array("GET /long/2000000 HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            client.hangUp()
        }
        #expect(try parking.client().request("GET", "/now").text == "/now")
        parking.server.stop()
        #expect(parking.server.loop.held == 0)
    }
}
