"""A svnetd that ends in the middle of the first call: dies_in_a_call.py SOCKET

Prints a line when it listens, to everybody.
"""

import os
import sys
from concurrent import futures

import grpc
from svnet.v1 import network_pb2_grpc


class Dying(network_pb2_grpc.NetworkServiceServicer):
    def CreateTap(self, request, context):
        os._exit(0)

    def GetNetwork(self, request, context):
        os._exit(0)


server = grpc.server(futures.ThreadPoolExecutor(1))
network_pb2_grpc.add_NetworkServiceServicer_to_server(Dying(), server)
server.add_insecure_port(f"unix:{sys.argv[1]}")
server.start()
os.chmod(sys.argv[1], 0o666)
print("listens", flush=True)
server.wait_for_termination(60)
