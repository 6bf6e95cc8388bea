// SPDX-License-Identifier: GPL-2.0-or-later

import Display
import Glibc
import Testing

@testable import VNC

/// What viewers see.
@Suite(.serialized) struct ScreenTests {
  @Test(arguments: ["RFB 003.003\n", "RFB 003.007\n", "RFB 003.008\n", "RFB 003.889\n"])
  func `a viewer of any version sees the screen`(version: String) throws {
    let stage = try Stage()
    defer { stage.stop() }
    stage.draw(.init(x: 0, y: 0, width: 160, height: 100), 0x11_2233)
    stage.draw(.init(x: 70, y: 40, width: 3, height: 2), 0xFF_8001)
    let client = try RFBClient(port: try #require(stage.server.port))
    try client.handshake(version: version)
    #expect((client.width, client.height) == (160, 100))
    #expect(client.name == "stage")
    try client.waitForScreen { $0.screen[40 * 160 + 70] == 0xFF_8001 && $0.screen[0] == 0x11_2233 }
    #expect(client.screen[40 * 160 + 73] == 0x11_2233)
    #expect(client.screen[41 * 160 + 72] == 0xFF_8001)
  }

  @Test func `only what changed is sent`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let client = try stage.viewer()
    try client.request(incremental: false)
    _ = try client.update()
    // Said to have changed altogether, but only one spot has.
    stage.machine {
      stage.surface.lock.withLock { stage.surface.pixels[50 * 160 + 100] = 0x12_3456 }
      stage.surface.changed(.init(x: 0, y: 0, width: 160, height: 100))
    }
    try client.request(incremental: true)
    let rectangles = try client.update()
    #expect(rectangles.map { [$0.x, $0.y, $0.width, $0.height] } == [[64, 48, 64, 16]])
    #expect(client.screen[50 * 160 + 100] == 0x12_3456)
  }

  @Test func `a resize reaches the viewer`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let client = try stage.viewer([0, -223])
    try client.request(incremental: false)
    _ = try client.update()
    stage.machine {
      stage.surface.resize(width: 321, height: 77)
      stage.surface.lock.withLock { stage.surface.pixels[76 * 321 + 320] = 0xAB_CDEF }
      stage.surface.changed(.init(x: 0, y: 0, width: 321, height: 77))
    }
    try client.waitForScreen { $0.width == 321 && $0.screen.last == 0xAB_CDEF }
    #expect(client.height == 77)
  }

  @Test func `many resizes with a viewer that does not know of them do no harm`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let plain = try stage.viewer([0])
    let modern = try stage.viewer([0, -223])
    for step in 1...20 {
      stage.machine {
        stage.surface.resize(width: 40 * step, height: 400 - 17 * step)
        stage.surface.changed(.init(x: 0, y: 0, width: 9000, height: 9000))
      }
      try plain.request(incremental: false)
      _ = try plain.update()
    }
    try modern.waitForScreen { $0.width == 800 && $0.height == 60 }
  }

  @Test func `without a viewer nothing is asked of the machine`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    stage.machine { stage.surface.changed(.init(x: 0, y: 0, width: 10, height: 10)) }
    #expect(stage.machine { stage.source.refreshCount } == 0)
    do {
      let client = try stage.viewer()
      try client.request(incremental: false)
      _ = try client.update()
      // This one is not answered, as nothing changes.
      try client.request(incremental: true)
      try stage.wait { stage.source.refreshCount > 3 }
    }
    // The viewer is gone; what was under way ends.
    try stage.wait("refreshes to end") {
      let before = stage.source.refreshCount
      stage.lock.unlock()
      usleep(150_000)
      stage.lock.lock()
      return stage.source.refreshCount == before
    }
  }

  @Test func `a viewer that knows cursors gets a dot`() throws {
    let stage = try Stage()
    defer { stage.stop() }
    let client = try stage.viewer([0, -239])
    try client.request(incremental: false)
    let rectangles = try client.update()
    let dot = try #require(rectangles.first { $0.encoding == -239 })
    #expect((dot.width, dot.height, dot.x, dot.y) == (5, 5, 2, 2))
    #expect(dot.data.suffix(5) == [0xF8, 0xF8, 0xF8, 0xF8, 0xF8])
    #expect(dot.data[(2 * 5 + 2) * 4] == 0xFF && dot.data[0] == 0)
    // It is not in the picture.
    #expect(client.screen.allSatisfy { $0 == 0 })
  }
}
