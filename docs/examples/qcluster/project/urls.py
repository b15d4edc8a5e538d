"""One address: /greet/7 queues greeting number 7."""

from django.urls import path
from shop.views import order

urlpatterns = [path("greet/<int:number>", order)]
